package sftp

// passing looks at the requests about what is open already, which need no
// decision of their own. Both results are nil for every other request.
func (i *Inspector) passing(f frame) (*pending, *refusal) {
	d := &decoder{b: f.body()}
	switch f.kind() {
	case fxpRead:
		return i.passRead(d)
	case fxpWrite:
		return i.passWrite(d)
	case fxpClose:
		return i.passClose(d)
	case fxpReaddir:
		return i.onHandle(d, fxpReaddir, canList, expectName)
	case fxpFstat:
		return i.onHandle(d, fxpFstat, 0, expectAttrs)
	case fxpExtended:
		return i.passExtended(string(d.bytes()), d)
	}
	return nil, nil
}

func malformed() *refusal {
	return &refusal{StatusBadMessage, "hoop: this SFTP request cannot be read: " + errTruncated.Error()}
}

func notOpen() *refusal {
	return &refusal{StatusFailure, "hoop: no file is open under this handle for what is asked"}
}

// use finds a handle that was opened for what is asked, once the request was
// read to its end.
func (i *Inspector) use(d *decoder, name []byte, want access) (*handle, *refusal) {
	if d.end() != nil {
		return nil, malformed()
	}
	h := i.table.find(name)
	if h == nil || h.access&want != want {
		return nil, notOpen()
	}
	return h, nil
}

func (i *Inspector) onHandle(d *decoder, kind byte, want access, e expect) (*pending, *refusal) {
	h, refused := i.use(d, d.bytes(), want)
	if refused != nil {
		return nil, refused
	}
	return &pending{kind: kind, expect: e, handle: h}, nil
}

func (i *Inspector) passRead(d *decoder) (*pending, *refusal) {
	name, offset, size := d.bytes(), d.uint64(), d.uint32()
	h, refused := i.use(d, name, canRead)
	if refused != nil {
		return nil, refused
	}
	return &pending{kind: fxpRead, expect: expectData, handle: h, offset: offset, size: size}, nil
}

func (i *Inspector) passWrite(d *decoder) (*pending, *refusal) {
	name, offset, data := d.bytes(), d.uint64(), d.bytes()
	h, refused := i.use(d, name, canWrite)
	if refused != nil {
		return nil, refused
	}
	h.written.add(offset, data)
	return &pending{kind: fxpWrite, handle: h, size: uint32(len(data))}, nil
}

func (i *Inspector) passClose(d *decoder) (*pending, *refusal) {
	name := d.bytes()
	h, refused := i.use(d, name, 0)
	if refused != nil {
		return nil, refused
	}
	i.table.closing(name)
	return &pending{kind: fxpClose, handle: h}, nil
}

// passExtended reads the extensions that are about handles, and limits, which
// asks for nothing but the server's constants.
func (i *Inspector) passExtended(name string, d *decoder) (*pending, *refusal) {
	switch name {
	case "fsync@openssh.com":
		return i.onHandle(d, fxpExtended, canWrite, expectStatus)
	case "fstatvfs@openssh.com":
		return i.onHandle(d, fxpExtended, 0, expectExtended)
	case "limits@openssh.com":
		if d.end() != nil {
			return nil, malformed()
		}
		return &pending{kind: fxpExtended, expect: expectExtended}, nil
	}
	return nil, nil
}
