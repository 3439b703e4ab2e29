package sftp

import (
	"fmt"
	"slices"

	"hoop/policy"
)

// known lists the extensions that are understood and the version in which they
// are: OpenSSH's PROTOCOL, section 4, and copy-data and home-directory of
// draft-ietf-secsh-filexfer-extensions-00.
func known(name, version string) bool {
	switch name {
	case "posix-rename@openssh.com", "hardlink@openssh.com", "fsync@openssh.com", "lsetstat@openssh.com",
		"limits@openssh.com", "expand-path@openssh.com", "copy-data", "home-directory", "users-groups-by-id@openssh.com":
		return version == "1"
	case "statvfs@openssh.com", "fstatvfs@openssh.com":
		return version == "2"
	}
	return false
}

// decodeExtended reads extensions that name paths; those on handles alone are in
// passing.go.
func (r *request) decodeExtended(name string, d *decoder, handles func([]byte) *handle) error {
	switch name {
	case "posix-rename@openssh.com":
		r.name(name, policy.SSHSFTPRename, d.bytes(), false)
		r.newName(d.bytes(), false)
	case "hardlink@openssh.com":
		// Some systems follow the old name, others do not.
		r.name(name, policy.SSHSFTPLink, d.bytes(), true)
		r.newName(d.bytes(), false)
	case "lsetstat@openssh.com":
		r.name(name, policy.SSHSFTPSetstat, d.bytes(), false)
		r.op.Detail = attributes(d)
	case "statvfs@openssh.com":
		r.name(name, policy.SSHSFTPStat, d.bytes(), true)
		r.expect = expectExtended
	case "expand-path@openssh.com":
		r.name(name, policy.SSHSFTPStat, d.bytes(), true)
		r.first.text = true
		r.expect = expectName
	case "home-directory":
		r.name(name, policy.SSHSFTPStat, d.bytes(), true)
		r.first.raw, r.first.text = "~"+r.op.Raw, true // a user's name is no path
		r.expect = expectName
	case "users-groups-by-id@openssh.com":
		r.op.Name, r.op.Verb, r.pathless = name, policy.SSHSFTPStat, true
		d.bytes()
		d.bytes()
		r.expect = expectExtended
	case "copy-data":
		r.decodeCopy(d, handles)
	default:
		r.op.Name = "extension " + quoted(name[:min(len(name), 64)])
		return errUnknown
	}
	return nil
}

// decodeCopy is about the file that is written; NewPath is the one that is read.
func (r *request) decodeCopy(d *decoder, handles func([]byte) *handle) {
	from, offset, length := handles(d.bytes()), d.uint64(), d.uint64()
	to, at := handles(d.bytes()), d.uint64()
	r.onHandle("copy-data", policy.SSHSFTPWrite, to)
	r.op.Detail = fmt.Sprintf("from=%d length=%d to=%d", offset, length, at)
	if from == nil || to == nil || from.access&canRead == 0 || to.access&canWrite == 0 {
		r.handle = nil
		return
	}
	r.other = from
	r.op.NewRaw, r.op.NewPath, r.op.NewNamed = from.op.Raw, from.op.Path, from.op.Named
}

// trimVersion cuts the server's extensions to the known ones. The error is that
// of a server which speaks something else.
func trimVersion(f frame) (frame, error) {
	d := &decoder{b: f[headerLen+1:]}
	if v := d.uint32(); v != version {
		return nil, fmt.Errorf("the SFTP server speaks version %d; only %d is understood", v, version)
	}
	out := slices.Clone(f[:minRequest])
	for len(d.b) > 0 {
		name, data := string(d.bytes()), string(d.bytes())
		if d.bad {
			return nil, fmt.Errorf("the SFTP server's version: %w", errTruncated)
		}
		if known(name, data) {
			out = appendString(appendString(out, name), data)
		}
	}
	return finish(out), nil
}
