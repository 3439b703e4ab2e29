package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"

	"hoop/recorder"
)

// parameters gives the bound values as the record shows them, and the bytes
// that the digest covers besides the text.
func (p *portal) parameters(types []uint32) (params []recorder.Param, exact []byte, err error) {
	if p.bind == nil {
		return nil, nil, nil
	}
	m, err := decodeBind(p.bind)
	if err != nil {
		return nil, nil, protocolError(err)
	}
	params = make([]recorder.Param, 0, m.params.count())
	for i := 0; m.params.count() > 0; i++ {
		value, _ := m.params.next()
		var oid uint32
		if i < len(types) {
			oid = types[i]
		}
		params = append(params, recorder.Param{Null: value == nil, OID: oid, Value: shown(value, oid, m.formats.at(i))})
	}
	values := p.bind[len(m.portal)+1+len(m.statement)+1:] // names mean nothing
	exact = make([]byte, 0, len(p.of.text)+1+len(values))
	exact = append(append(append(exact, p.of.text...), 0), values...)
	return params, exact, nil
}

// typesOf gives the types of a statement's parameters, as the target told them
// or else as the client gave them.
func (c *requests) typesOf(s *statement) (types []uint32) {
	c.queue.locked(func() { types = s.told })
	if types == nil {
		return s.types
	}
	return types
}

// learnTypes keeps what a ParameterDescription tells.
func (p *responses) learnTypes(s *statement, body []byte) {
	r := reader{rest: body}
	told := make([]uint32, r.count(4))
	for i := range told {
		told[i] = r.uint32()
	}
	if s != nil && r.done() == nil {
		p.queue.locked(func() { s.told = told })
	}
}

// shown is a value as text. Binary ones of common types are converted, others
// are written in hexadecimal.
func shown(value []byte, oid uint32, format int16) string {
	if format == 0 && utf8.Valid(value) {
		return string(value)
	}
	if format == 1 {
		switch {
		case oid == oidBool && len(value) == 1:
			return strconv.FormatBool(value[0] != 0)
		case oid == oidInt2 && len(value) == 2:
			return strconv.Itoa(int(int16(binary.BigEndian.Uint16(value))))
		case oid == oidInt4 && len(value) == 4:
			return strconv.Itoa(int(int32(binary.BigEndian.Uint32(value))))
		case oid == oidInt8 && len(value) == 8:
			return strconv.FormatInt(int64(binary.BigEndian.Uint64(value)), 10)
		case oid == oidFloat8 && len(value) == 8:
			return strconv.FormatFloat(math.Float64frombits(binary.BigEndian.Uint64(value)), 'g', -1, 64)
		case textual(oid) && utf8.Valid(value):
			return string(value)
		}
	}
	if value == nil {
		return ""
	}
	return `\x` + hex.EncodeToString(value)
}
