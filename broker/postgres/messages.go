package postgres

// The frontend messages, as PostgreSQL "Message Formats" lays them out. Each
// decode function takes the body of a frame, without type and length; what it
// returns aliases the body.

// The types of frontend messages.
const (
	typeBind         = 'B'
	typeClose        = 'C'
	typeCopyData     = 'd'
	typeCopyDone     = 'c'
	typeCopyFail     = 'f'
	typeDescribe     = 'D'
	typeExecute      = 'E'
	typeFlush        = 'H'
	typeFunctionCall = 'F'
	typeParse        = 'P'
	typePassword     = 'p'
	typeQuery        = 'Q'
	typeSync         = 'S'
	typeTerminate    = 'X'
)

// The subtypes of Describe and Close.
const (
	subtypeStatement = 'S'
	subtypePortal    = 'P'
)

type queryMessage struct{ text []byte }

func decodeQuery(body []byte) (m queryMessage, err error) {
	r := reader{rest: body}
	m.text = r.cstring()
	return m, r.done()
}

type parseMessage struct {
	statement []byte
	text      []byte
	types     oids // of the parameters that the client specifies
}

func decodeParse(body []byte) (m parseMessage, err error) {
	r := reader{rest: body}
	m.statement, m.text = r.cstring(), r.cstring()
	m.types = r.take(4 * r.count(4))
	return m, r.done()
}

type bindMessage struct {
	portal, statement []byte
	formats           codes // of the parameters
	params            values
	results           codes // formats asked for
}

func decodeBind(body []byte) (m bindMessage, err error) {
	r := reader{rest: body}
	m.portal, m.statement = r.cstring(), r.cstring()
	m.formats = r.take(2 * r.count(2))
	m.params = r.values(r.count(4))
	m.results = r.take(2 * r.count(2))
	if n := m.formats.count(); n > 1 && n != m.params.n {
		r.fail(errCount)
	}
	return m, r.done()
}

// targetMessage is the body of Describe and of Close.
type targetMessage struct {
	subtype byte // subtypeStatement or subtypePortal
	name    []byte
}

func decodeTarget(body []byte) (m targetMessage, err error) {
	r := reader{rest: body}
	m.subtype, m.name = r.byte(), r.cstring()
	if m.subtype != subtypeStatement && m.subtype != subtypePortal {
		r.fail(errSubtype)
	}
	return m, r.done()
}

type executeMessage struct {
	portal  []byte
	maxRows int32 // all where not positive
}

func decodeExecute(body []byte) (m executeMessage, err error) {
	r := reader{rest: body}
	m.portal = r.cstring()
	m.maxRows = int32(r.uint32())
	return m, r.done()
}

type functionCallMessage struct {
	function uint32 // OID
	formats  codes
	args     values
	result   int16 // format asked for
}

func decodeFunctionCall(body []byte) (m functionCallMessage, err error) {
	r := reader{rest: body}
	m.function = r.uint32()
	m.formats = r.take(2 * r.count(2))
	m.args = r.values(r.count(4))
	m.result = int16(r.uint16())
	if n := m.formats.count(); n > 1 && n != m.args.n {
		r.fail(errCount)
	}
	return m, r.done()
}

type copyDataMessage struct{ data []byte }

func decodeCopyData(body []byte) (copyDataMessage, error) { return copyDataMessage{data: body}, nil }

type copyFailMessage struct{ reason []byte }

func decodeCopyFail(body []byte) (m copyFailMessage, err error) {
	r := reader{rest: body}
	m.reason = r.cstring()
	return m, r.done()
}

type passwordMessage struct{ password []byte }

func decodePassword(body []byte) (m passwordMessage, err error) {
	r := reader{rest: body}
	m.password = r.cstring()
	return m, r.done()
}

// decodeEmpty is for Flush, Sync and CopyDone, which have no body. Terminate
// may carry anything: nothing comes after it.
func decodeEmpty(body []byte) error {
	r := reader{rest: body}
	return r.done()
}
