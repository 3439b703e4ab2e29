package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgproto3/v2"
)

// again decodes a message and makes it anew with pgproto3, the other side.
func again(kind byte, body []byte) (pgproto3.FrontendMessage, error) {
	switch kind {
	case typeQuery:
		m, err := decodeQuery(body)
		return &pgproto3.Query{String: string(m.text)}, err
	case typeParse:
		m, err := decodeParse(body)
		p := &pgproto3.Parse{Name: string(m.statement), Query: string(m.text)}
		for i := range m.types.count() {
			p.ParameterOIDs = append(p.ParameterOIDs, m.types.at(i))
		}
		return p, err
	case typeBind:
		m, err := decodeBind(body)
		return &pgproto3.Bind{DestinationPortal: string(m.portal), PreparedStatement: string(m.statement),
			ParameterFormatCodes: codeList(m.formats), Parameters: valueList(m.params), ResultFormatCodes: codeList(m.results)}, err
	case typeDescribe:
		m, err := decodeTarget(body)
		return &pgproto3.Describe{ObjectType: m.subtype, Name: string(m.name)}, err
	case typeClose:
		m, err := decodeTarget(body)
		return &pgproto3.Close{ObjectType: m.subtype, Name: string(m.name)}, err
	case typeExecute:
		m, err := decodeExecute(body)
		return &pgproto3.Execute{Portal: string(m.portal), MaxRows: uint32(m.maxRows)}, err
	case typeFunctionCall:
		m, err := decodeFunctionCall(body)
		return &pgproto3.FunctionCall{Function: m.function, ArgFormatCodes: unsigned(codeList(m.formats)),
			Arguments: valueList(m.args), ResultFormatCode: uint16(m.result)}, err
	case typeCopyData:
		m, err := decodeCopyData(body)
		return &pgproto3.CopyData{Data: m.data}, err
	case typeCopyFail:
		m, err := decodeCopyFail(body)
		return &pgproto3.CopyFail{Message: string(m.reason)}, err
	case typePassword:
		m, err := decodePassword(body)
		return &pgproto3.PasswordMessage{Password: string(m.password)}, err
	case typeFlush:
		return &pgproto3.Flush{}, decodeEmpty(body)
	case typeSync:
		return &pgproto3.Sync{}, decodeEmpty(body)
	case typeCopyDone:
		return &pgproto3.CopyDone{}, decodeEmpty(body)
	}
	return nil, errSubtype
}

func codeList(c codes) []int16 {
	var out []int16
	for i := range c.count() {
		out = append(out, int16(binary.BigEndian.Uint16(c[2*i:])))
	}
	return out
}

func unsigned(in []int16) []uint16 {
	var out []uint16
	for _, c := range in {
		out = append(out, uint16(c))
	}
	return out
}

func valueList(v values) [][]byte {
	var out [][]byte
	for {
		value, ok := v.next()
		if !ok {
			return out
		}
		out = append(out, value)
	}
}

var kinds = []byte{typeQuery, typeParse, typeBind, typeDescribe, typeClose, typeExecute, typeFunctionCall, typeCopyData,
	typeCopyFail, typePassword, typeFlush, typeSync, typeCopyDone}

// seeds are one message of each sort and more.
func seeds(f *testing.F) {
	for _, m := range []pgproto3.FrontendMessage{
		&pgproto3.Query{String: "select 1"}, &pgproto3.Query{},
		&pgproto3.Parse{Name: "s", Query: "select $1, $2", ParameterOIDs: []uint32{23, 25}},
		&pgproto3.Bind{DestinationPortal: "p", PreparedStatement: "s", ParameterFormatCodes: []int16{0, 1, 0},
			Parameters: [][]byte{[]byte("a"), nil, {}}, ResultFormatCodes: []int16{1}},
		&pgproto3.Describe{ObjectType: 'S', Name: "s"}, &pgproto3.Close{ObjectType: 'P'},
		&pgproto3.Execute{Portal: "p", MaxRows: 1 << 31},
		&pgproto3.FunctionCall{Function: 7, ArgFormatCodes: []uint16{1}, Arguments: [][]byte{[]byte("x"), nil}, ResultFormatCode: 1},
		&pgproto3.CopyData{Data: []byte("1\t2\n")}, &pgproto3.CopyFail{Message: "no"}, &pgproto3.CopyDone{},
		&pgproto3.PasswordMessage{Password: "p"}, &pgproto3.Flush{}, &pgproto3.Sync{},
	} {
		b := encode(nil, m)
		f.Add(b[0], b[5:])
	}
	for _, frame := range panics {
		b, _ := hex.DecodeString(frame)
		f.Add(b[0], b[5:])
	}
}

// What is understood is understood whole: made anew it is the same bytes, and
// neither less nor more of it is a message.
func FuzzClientMessage(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		m, err := again(kind, body)
		if err != nil {
			return
		}
		want := append([]byte{kind, 0, 0, 0, 0}, body...)
		binary.BigEndian.PutUint32(want[1:], uint32(4+len(body)))
		if got := encode(nil, m); !bytes.Equal(got, want) {
			t.Fatalf("%q became %q", want, got)
		}
		if kind == typeCopyData {
			return
		}
		for i := range body {
			if _, err := again(kind, body[:i]); err == nil {
				t.Fatalf("%q is a %q already after %d bytes", body, kind, i)
			}
		}
		if _, err := again(kind, append(bytes.Clone(body), 0)); err == nil {
			t.Fatalf("%q may be followed by more", body)
		}
	})
}

// What another implementation encodes is read as it was meant.
func FuzzEncodedBind(f *testing.F) {
	f.Add("p", "s", []byte("value"), int16(1), int16(0), uint8(3), true)
	f.Add("", "", []byte{}, int16(0), int16(1), uint8(0), false)
	f.Fuzz(func(t *testing.T, portal, statement string, value []byte, format, result int16, n uint8, null bool) {
		if strings.ContainsRune(portal+statement, 0) {
			return
		}
		want := &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: statement,
			ParameterFormatCodes: []int16{format}, ResultFormatCodes: []int16{result, format}}
		for i := range int(n) {
			v := append([]byte{}, value...)
			if null && i%2 == 0 {
				v = nil
			}
			want.Parameters = append(want.Parameters, v)
		}
		got, err := again(typeBind, encode(nil, want)[5:])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// FuzzStartupPacket: a packet that is understood, written anew, is the same.
func FuzzStartupPacket(f *testing.F) {
	for _, s := range []string{"\x00\x03\x00\x00user\x00x\x00\x00", "\x04\xd2\x16\x2f", "\x04\xd2\x16\x30",
		"\x04\xd2\x16\x2e\x00\x00\x00\x01keys", "\x00\x03\x00\x02user\x00\x00_pq_.a\x00b\x00\x00", "\x00\x02\x00\x00junk"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodeStartup(body)
		if err != nil || p.code != codeCancel && p.code != codeSSL && p.code != codeGSSENC && p.major() != 3 {
			return
		}
		got := binary.BigEndian.AppendUint32(nil, p.code)
		switch {
		case p.code == codeCancel:
			got = append(binary.BigEndian.AppendUint32(got, p.pid), p.key...)
		case p.major() == 3:
			for _, s := range p.settings {
				got = append(append(append(append(got, s.name...), 0), s.value...), 0)
			}
			got = append(got, 0)
		}
		if !bytes.Equal(got, body) {
			t.Fatalf("%q became %q", body, got)
		}
	})
}

// panics are messages on which a decoder in wide use panicked or looped.
var panics = []string{
	"5100000004", "42000000106100620000000001fffffffe", "6600000004", "4600000004", "460000000800000000",
	"460000000a010101010101", "460000000a000000000000", "460000000c6100620000000001",
	"46000000106100620000000001fffffffe", "460000000c0000000000000000",
}

func TestMessagesThatPanickedOthers(t *testing.T) {
	for _, frame := range panics {
		b, err := hex.DecodeString(frame)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = again(b[0], b[5:]); err == nil {
			t.Errorf("%s was understood", frame)
		}
	}
}

// Every sort of message, cut anywhere and filled with anything, is an error or
// a whole message; never a panic, and never memory for what is only claimed.
func TestTruncatedMessages(t *testing.T) {
	for _, kind := range kinds {
		for n := range 65 {
			for _, fill := range []byte{0, 1, 'a', 'S', 0x7f, 0x80, 0xff} {
				body := bytes.Repeat([]byte{fill}, n)
				if allocs := testing.AllocsPerRun(1, func() { decodeOnly(kind, body) }); allocs > 0 {
					t.Fatalf("decoding %q of %d × %#x allocates %v times", kind, n, fill, allocs)
				}
			}
		}
	}
}

func decodeOnly(kind byte, body []byte) {
	switch kind {
	case typeQuery:
		_, _ = decodeQuery(body)
	case typeParse:
		_, _ = decodeParse(body)
	case typeBind:
		_, _ = decodeBind(body)
	case typeDescribe, typeClose:
		_, _ = decodeTarget(body)
	case typeExecute:
		_, _ = decodeExecute(body)
	case typeFunctionCall:
		_, _ = decodeFunctionCall(body)
	case typeCopyData:
		_, _ = decodeCopyData(body)
	case typeCopyFail:
		_, _ = decodeCopyFail(body)
	case typePassword:
		_, _ = decodePassword(body)
	default:
		_ = decodeEmpty(body)
	}
}

// What is returned cannot be appended to at the cost of what stands behind it.
func TestDecodedBytesEndWhereTheyEnd(t *testing.T) {
	m, err := decodeParse([]byte("name\x00text\x00\x00\x00"))
	if err != nil {
		t.Fatal(err)
	}
	_ = append(m.statement, 'X')
	if string(m.text) != "text" || cap(m.statement) != len(m.statement) {
		t.Errorf("text became %q", m.text)
	}
}

func TestFormatCodes(t *testing.T) {
	for _, tt := range []struct {
		codes codes
		want  [3]int16
	}{
		{nil, [3]int16{0, 0, 0}},
		{codes{0, 1}, [3]int16{1, 1, 1}},
		{codes{0, 0, 0, 1, 0, 0}, [3]int16{0, 1, 0}},
	} {
		if got := [3]int16{tt.codes.at(0), tt.codes.at(1), tt.codes.at(2)}; got != tt.want {
			t.Errorf("%x: got %v, want %v", []byte(tt.codes), got, tt.want)
		}
	}
}
