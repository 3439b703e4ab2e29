package mask

import (
	"crypto/aes"
	"encoding/hex"
	"errors"
	"strconv"
	"testing"
)

// The samples of NIST SP 800-38G (FF1samples.pdf).
func TestFF1Samples(t *testing.T) {
	const (
		aes128 = "2B7E151628AED2A6ABF7158809CF4F3C"
		aes192 = aes128 + "EF4359D8D580AA4F"
		aes256 = aes192 + "7F036D6F04FC6A94"
		tweak1 = "39383736353433323130"
		tweak2 = "3737373770717273373737"
		short  = "0123456789"
		long   = "0123456789abcdefghi"
	)
	for _, c := range []struct {
		key, tweak  string
		radix       int
		plain, want string
	}{
		{aes128, "", 10, short, "2433477484"},
		{aes128, tweak1, 10, short, "6124200773"},
		{aes128, tweak2, 36, long, "a9tv40mll9kdu509eum"},
		{aes192, "", 10, short, "2830668132"},
		{aes192, tweak1, 10, short, "2496655549"},
		{aes192, tweak2, 36, long, "xbj3kv35jrawxv32ysr"},
		{aes256, "", 10, short, "6657667009"},
		{aes256, tweak1, 10, short, "1001623463"},
		{aes256, tweak2, 36, long, "xs8a0azh2avyalyzuwd"},
	} {
		key, _ := hex.DecodeString(c.key)
		tweak, _ := hex.DecodeString(c.tweak)
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		f := ff1{block, c.radix}
		x := make([]byte, len(c.plain))
		for i := range x {
			d, _ := strconv.ParseUint(c.plain[i:i+1], c.radix, 8)
			x[i] = byte(d)
		}
		if err := f.encrypt(x, tweak); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, d := range x {
			got += strconv.FormatUint(uint64(d), c.radix)
		}
		if got != c.want {
			t.Errorf("%d bits, radix %d: %s, want %s", 4*len(c.key), c.radix, got, c.want)
		}
	}
}

func TestFF1RefusesSmallDomains(t *testing.T) {
	block, _ := aes.NewCipher(make([]byte, 16))
	f := ff1{block, 10}
	if err := f.encrypt(make([]byte, 5), nil); !errors.Is(err, errShort) {
		t.Errorf("five digits: %v", err)
	}
	if err := f.encrypt(make([]byte, 6), nil); err != nil {
		t.Errorf("six digits: %v", err)
	}
}
