package ssh

import (
	"regexp"
	"strings"

	gossh "golang.org/x/crypto/ssh"

	"hoop/policy/mask"
)

// maxForeign bounds, in bytes, what is passed on of a text that is no output.
const maxForeign = 512

// foreign makes a text of the target's, such as the reason of a refusal, one that
// the client may see: whoever runs the target may have put anything there.
func (r *relay) foreign(text string) string {
	text = oneLine(text)
	d, err := r.s.Detectors()
	switch {
	case err != nil:
		return "(left out: masking is unavailable)"
	case d != nil:
		if out, changed := d.MaskText(nil, []byte(text), mask.Context{}, func(string) {}); changed {
			text = string(out)
		}
	}
	if len(text) > maxForeign {
		text = strings.ToValidUTF8(text[:maxForeign], "")
	}
	return text
}

// parting is how x/crypto tells an SSH_MSG_DISCONNECT, RFC 4253 §11.1.
var parting = regexp.MustCompile(`(disconnect, reason \d+): .*`) //nolint:gochecknoglobals // a constant

// withoutWords leaves out of an error what the target said by itself: it was
// given the credential, and might say that.
func (r *relay) withoutWords(err error) string {
	text := parting.ReplaceAllString(oneLine(err.Error()), "$1")
	if r.secret != nil && r.secret.Password != "" {
		text = strings.ReplaceAll(text, r.secret.Password, "***")
	}
	return r.foreign(text)
}

// tellStatus passes on how the program ended: what is meant by it, and no other
// bytes. It reports whether the target said it in a way that can be understood.
func (c *channel) tellStatus() bool {
	var code exitStatus
	var sig exitSignal
	switch st := c.status; {
	case st.request == "exit-status" && read(st.payload, &code):
		_, _ = c.ch.SendRequest(st.request, false, gossh.Marshal(code))
	case st.request == "exit-signal" && read(st.payload, &sig):
		sig.Signal, sig.Message, sig.Language = c.r.foreign(sig.Signal), c.r.foreign(sig.Message), ""
		_, _ = c.ch.SendRequest(st.request, false, gossh.Marshal(sig))
	default:
		return false
	}
	return true
}

// introduction is what the client is told of a channel that the target opens.
func (r *relay) introduction(n gossh.NewChannel) []byte {
	var d direct
	var local forwardedLocal
	var x x11Channel
	switch {
	case n.ChannelType() == typeForwarded && read(n.ExtraData(), &d):
		d.Host, d.Originator = r.foreign(d.Host), r.foreign(d.Originator)
		return gossh.Marshal(d)
	case n.ChannelType() == typeForwardedLocal && read(n.ExtraData(), &local):
		local.Reserved = ""
		return gossh.Marshal(local)
	case n.ChannelType() == typeForwardedX11 && read(n.ExtraData(), &x):
		x.Originator = r.foreign(x.Originator)
		return gossh.Marshal(x)
	}
	return nil
}
