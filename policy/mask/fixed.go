package mask

import (
	"fmt"
	"strconv"

	"hoop/policy"
)

// fixed replaces every value by the configured one, wherever that is a valid
// value of the type.
type fixed struct {
	redact
	integerValue int64
	isInteger    bool
	dayValue     int64
	isDay        bool
	uuidValue    [16]byte
	isUUID       bool
}

func newFixed(spec policy.MaskSpec) (*fixed, error) {
	if spec.Text == "" {
		return nil, fmt.Errorf("it needs text: the value to write")
	}
	f := &fixed{redact: redact{spec.Text}}
	v, err := strconv.ParseInt(spec.Text, 10, 64)
	f.integerValue, f.isInteger = v, err == nil
	f.dayValue, f.isDay = parseDay([]byte(spec.Text))
	f.uuidValue, f.isUUID = readUUID([]byte(spec.Text), false)
	return f, nil
}

// integer gives no number that a column of the narrowest type could not hold:
// the width of the column is not known in text.
func (f *fixed) integer(int64) (int64, bool) {
	return f.integerValue, f.isInteger && f.integerValue == int64(int16(f.integerValue))
}

func (f *fixed) decimal(dst, _ []byte) ([]byte, bool) {
	return append(dst, f.with...), plainDecimal([]byte(f.with))
}

func (f *fixed) day(int64) (int64, bool)        { return f.dayValue, f.isDay }
func (f *fixed) uuid([16]byte) ([16]byte, bool) { return f.uuidValue, f.isUUID }
