package sftp

import (
	"fmt"
	"strings"
	"time"
)

// The flags of file attributes, draft §5.
const (
	attrSize        = 1
	attrOwner       = 2
	attrPermissions = 4
	attrTimes       = 8
	attrExtended    = 0x80000000
	attrsKnown      = attrSize | attrOwner | attrPermissions | attrTimes | attrExtended
)

// attributes reads the attributes of a request and describes those that are set.
func attributes(d *decoder) string {
	flags := d.uint32()
	if flags&^attrsKnown != 0 {
		d.bad = true // nobody knows how many bytes follow
	}
	var out []string
	if flags&attrSize != 0 {
		out = append(out, fmt.Sprintf("size=%d", d.uint64()))
	}
	if flags&attrOwner != 0 {
		uid := d.uint32()
		out = append(out, fmt.Sprintf("uid=%d gid=%d", uid, d.uint32()))
	}
	if flags&attrPermissions != 0 {
		out = append(out, fmt.Sprintf("mode=%04o", d.uint32()&0o7777))
	}
	if flags&attrTimes != 0 {
		d.uint32() // of the last access
		out = append(out, "mtime="+time.Unix(int64(d.uint32()), 0).UTC().Format(time.RFC3339))
	}
	if flags&attrExtended != 0 {
		count := d.uint32()
		for n := count; n > 0 && !d.bad; n-- {
			d.bytes()
			d.bytes()
		}
		out = append(out, fmt.Sprintf("extended=%d", count))
	}
	return strings.Join(out, " ")
}
