package postgres

import "hoop/policy/mask"

// The OIDs of types whose values are masked by kind (pg_type.dat).
const (
	oidBool        = 16
	oidBytea       = 17
	oidChar        = 18
	oidName        = 19
	oidInt8        = 20
	oidInt2        = 21
	oidInt4        = 23
	oidText        = 25
	oidOID         = 26
	oidJSON        = 114
	oidXML         = 142
	oidFloat4      = 700
	oidFloat8      = 701
	oidUnknown     = 705
	oidMoney       = 790
	oidBPChar      = 1042
	oidVarchar     = 1043
	oidDate        = 1082
	oidTime        = 1083
	oidTimestamp   = 1114
	oidTimestampTZ = 1184
	oidInterval    = 1186
	oidTimeTZ      = 1266
	oidNumeric     = 1700
	oidCString     = 2275
	oidUUID        = 2950
	oidJSONB       = 3802
	firstUserOID   = 16384 // FirstNormalObjectId
)

// kindOf tells how values of a type are replaced.
func kindOf(oid uint32) mask.Kind {
	switch oid {
	case oidText, oidVarchar, oidBPChar, oidName, oidUnknown, oidCString, oidXML:
		return mask.Text
	case oidInt2, oidInt4, oidInt8:
		return mask.Integer
	case oidNumeric, oidMoney:
		return mask.Decimal
	case oidFloat4, oidFloat8:
		return mask.Float
	case oidBool:
		return mask.Bool
	case oidDate:
		return mask.Date
	case oidTime:
		return mask.Time
	case oidTimestamp, oidTimestampTZ:
		return mask.Timestamp
	case oidUUID:
		return mask.UUID
	case oidBytea:
		return mask.Bytes
	case oidJSON, oidJSONB:
		return mask.JSON
	default:
		return mask.Opaque
	}
}

// textual reports whether a type's binary format is its text.
func textual(oid uint32) bool {
	switch oid {
	case oidText, oidVarchar, oidBPChar, oidName, oidUnknown, oidCString, oidXML, oidJSON:
		return true
	}
	return false
}

// sought tells how detectors look at values of a type.
type sought uint8

const (
	nowhere sought = iota // no value of the type can hold a finding
	inText                // findings are replaced within the value
	inJSON                // the same, and the value must stay valid
	opaque                // a value with a finding becomes NULL
	inInt8                // binary bigint: its digits are looked at
)

// soughtIn tells how detectors look at a column. Arrays, composites and types
// that are not known keep the text of their parts readable in either format; a
// replacement within could break their form, so that NULL stands for the whole.
func soughtIn(oid uint32, binary bool) sought {
	switch oid {
	case oidBool, oidChar, oidInt2, oidInt4, oidOID, oidFloat4, oidDate, oidTime, oidTimeTZ, oidTimestamp, oidTimestampTZ, oidInterval:
		return nowhere
	case oidJSON, oidJSONB:
		return inJSON
	case oidInt8:
		if binary {
			return inInt8
		}
		return opaque
	case oidFloat8, oidUUID:
		if binary {
			return nowhere
		}
		return opaque
	}
	if textual(oid) {
		return inText
	}
	return opaque
}
