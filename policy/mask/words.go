package mask

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// hints is what the words around a value make likely.
type hints uint8

const (
	hintPhone hints = 1 << iota
	hintSSN
	hintCard
	hintID   // some other number
	hintTalk // a phone number, if it is written like one
)

// contextSize is how far before a value words count, in bytes; contextWords
// how many of them.
const (
	contextSize  = 48
	contextWords = 6
)

// hintWords lists the words that say something, in small letters.
func hintWords() map[hints]string {
	return map[hints]string{
		hintPhone: `phone phones ph phonenumber tel telephone telefon telefono teléfono telefone téléphone
			tél mobile mobil movil móvil cell cellphone cellular celular portable fax telefax fon gsm
			handy whatsapp viber msisdn caller
			hotline desk answering 电话 手机 電話 携帯 телефон тел Телефон Тел`,
		hintTalk: `dial dialed call calls called calling callback message messages contact contacts reach registered ring text sms`,
		hintSSN:  `ssn ssns ss social socsec itin taxpayer`,
		hintCard: `card cards cardno cardnumber cc ccn ccnum pan visa mastercard amex maestro discover
			diners credit creditcard debit carte karte kreditkarte kartennummer kreditkartennummer
			tarjeta carta cartão`,
		hintID: `id ids uid pid xid order orders tracking transaction txn trace imei iccid imsi
			serial sku isbn ean upc gtin invoice ticket batch part case npi snowflake offset epoch ts
			timestamp seq sequence lsn ndc vin barcode partition bug issue closes cve rfc commit revision pr line error code size bytes port`,
	}
}

// vocabulary is hintWords made ready for looking up.
type vocabulary struct {
	hints   map[string]hints
	lengths [256]uint32 // first byte of a word → a bit for each length of such words
}

// sharedVocabulary never changes.
var sharedVocabulary = sync.OnceValue(func() *vocabulary {
	v := &vocabulary{hints: map[string]hints{}}
	for h, words := range hintWords() {
		for _, w := range strings.Fields(words) {
			v.hints[w] = h
			v.lengths[w[0]] |= 1 << len(w)
		}
	}
	return v
})

// of says what one word makes likely.
func (v *vocabulary) of(word []byte) hints {
	if len(word) == 0 || len(word) > 31 || v.lengths[lower(word[0])]>>len(word)&1 == 0 {
		return 0
	}
	var buf [31]byte
	return v.hints[string(lowerAll(buf[:copy(buf[:], word)]))]
}

// hintsBefore reads the words of the same line or field before start. The
// nearest of two contradicting words counts.
func (s *scanner) hintsBefore(start int) hints {
	if start > 0 && s.text[start-1] < ' ' && !s.labelled(start) {
		return s.hintsOfName()
	}
	var h hints
	low := max(0, start-contextSize)
	end := s.skipToWord(start, low)
	for words := 0; end > low && words < contextWords; words++ {
		begin := wordStart(s.text, end, low)
		if begin == end {
			break
		}
		w := s.d.words.hintsOfWord(s.text[begin:end])
		if w&hintID == 0 || h == 0 {
			h |= w
		}
		var more bool
		if end, more = s.nextWord(begin, low); !more {
			break
		}
	}
	return h | s.hintsOfName()
}

// labelled reports whether only white space stands between start and a colon,
// as after "Phone:" and a line break.
func (s *scanner) labelled(start int) bool {
	for i := start - 1; i >= max(0, start-8); i-- {
		if !isSpace(s.text[i]) {
			return s.text[i] == ':'
		}
	}
	return false
}

// skipToWord walks back over what stands between a label and its value.
func (s *scanner) skipToWord(end, low int) int {
	for end > low && !isWordByte(s.text[end-1]) {
		if c := s.text[end-1]; c == '|' || c == ',' || c == ';' || c == '}' || c == ']' {
			return low
		}
		if c := s.text[end-1]; c < ' ' && !s.labelled(end) {
			return low
		}
		end--
	}
	return end
}

// nextWord walks back from the start of a word to the end of the one before,
// within the same phrase.
func (s *scanner) nextWord(begin, low int) (int, bool) {
	end := begin
	for end > low && !isWordByte(s.text[end-1]) {
		switch c := s.text[end-1]; {
		case c < ' ', c == '|', c == ',', c == ';', c == '}', c == ']', c == '{':
			return low, false
		}
		end--
	}
	return end, end > low
}

func isWordByte(c byte) bool { return isLetter(c) || isDigit(c) || c >= utf8.RuneSelf }

func wordStart(text []byte, end, low int) int {
	begin := end
	for begin > low && isWordByte(text[begin-1]) {
		begin--
	}
	return begin
}

// maxHint is the longest word with parts that says something, in bytes.
const maxHint = 24

// hintsOfWord looks a word up, whole and by the parts that capitals set off,
// as in phoneNumber.
func (v *vocabulary) hintsOfWord(word []byte) hints {
	if len(word) > maxHint || isDigit(word[0]) {
		return 0
	}
	h, part := v.of(word), 0
	for i := 1; i < len(word); i++ {
		if word[i]-'A' < 26 && word[i-1]-'a' < 26 {
			h |= v.of(word[part:i])
			part = i
		}
	}
	if part > 0 {
		h |= v.of(word[part:])
	}
	return h
}

// hintsOfName reads the words of the column name or path.
func (s *scanner) hintsOfName() hints {
	if s.named || s.name == "" {
		return s.nameHints
	}
	s.named = true
	name := s.name
	if len(name) > 64 {
		name = name[len(name)-64:]
	}
	var buf [64]byte
	text := buf[:copy(buf[:], name)]
	for end := len(text); end > 0; {
		if !isWordByte(text[end-1]) {
			end--
			continue
		}
		begin := wordStart(text, end, 0)
		s.nameHints |= s.d.words.hintsOfWord(text[begin:end])
		end = begin
	}
	return s.nameHints
}
