package mask

import "sync"

// A keyFormat describes the keys that one vendor issues. Formats up to the
// blank line follow the rules of gitleaks (https://github.com/gitleaks/gitleaks,
// MIT licence, Copyright (c) 2019 Zachary Rice), from which they were taken as
// data: prefix, alphabet and length; the others follow the vendors' manuals.
type keyFormat struct {
	prefix   string
	fold     bool     // case of the prefix does not matter
	set      alphabet // of what follows
	min, max int      // length of what follows, in bytes
	before   int      // bytes of the key that stand before the prefix; -1 is any number
}

// alphabet is a set of bytes that keys are made of.
type alphabet uint8

const (
	setHex    alphabet = 1 << iota // 0-9 a-f A-F
	setDigit                       // 0-9
	setUpper                       // A-Z
	setLower                       // a-z
	setScore                       // _ -
	setDot                         // .
	setBase64                      // + / =
	setTilde                       // ~

	setAlnum = setDigit | setUpper | setLower
	setWord  = setAlnum | setScore
	setDots  = setWord | setDot
	setB64   = setAlnum | setBase64
	setAll   = setWord | setDot | setBase64 | setTilde
)

// alphabets tells for each byte which sets have it.
var alphabets = makeAlphabets()

func makeAlphabets() (a [256]alphabet) {
	for b := range 256 {
		c := byte(b)
		if _, hexed := unhex(c); hexed {
			a[c] |= setHex
		}
		switch {
		case isDigit(c):
			a[c] |= setDigit
		case c >= 'A' && c <= 'Z':
			a[c] |= setUpper
		case c >= 'a' && c <= 'z':
			a[c] |= setLower
		case c == '_' || c == '-':
			a[c] |= setScore
		case c == '.':
			a[c] |= setDot
		case c == '+' || c == '/' || c == '=':
			a[c] |= setBase64
		case c == '~':
			a[c] |= setTilde
		}
	}
	return a
}

func (s alphabet) has(c byte) bool { return alphabets[c]&s != 0 }

const noLimit = 4096

// keyFormats lists the formats that a prefix gives away. What has none is
// found by the name before it (secret.go).
func keyFormats() []keyFormat {
	return []keyFormat{
		{prefix: "A3-", set: setUpper | setDigit | setScore, min: 31, max: 38},
		{prefix: "ops_eyJ", set: setB64, min: 200, max: noLimit},
		{prefix: "p8e-", set: setAlnum, min: 32, max: 32},
		{prefix: "AGE-SECRET-KEY-1", fold: true, set: setAlnum, min: 58, max: 58},
		{prefix: "LTAI", set: setAlnum, min: 12, max: 26},
		{prefix: "sk-ant-", set: setWord, min: 40, max: 120},
		{prefix: "AKCp", set: setAlnum, min: 60, max: 80},
		{prefix: "cmVmd", set: setAlnum, min: 59, max: 59},
		{prefix: "ATATT3", set: setWord | setBase64, min: 100, max: 220},
		{prefix: ".acc_", set: setDots | setBase64, min: 40, max: 160, before: -1},
		{prefix: ".acc-", set: setDots | setBase64, min: 40, max: 160, before: -1},
		{prefix: "A3T", set: setUpper | setDigit, min: 17, max: 17},
		{prefix: "AKIA", set: setUpper | setDigit, min: 16, max: 16},
		{prefix: "ASIA", set: setUpper | setDigit, min: 16, max: 16},
		{prefix: "ABIA", set: setUpper | setDigit, min: 16, max: 16},
		{prefix: "ACCA", set: setUpper | setDigit, min: 16, max: 16},
		{prefix: "ABSK", set: setB64, min: 100, max: 280},
		{prefix: "bedrock-api-key-", set: setB64, min: 28, max: noLimit},
		{prefix: "Q~", set: setDots | setTilde, min: 31, max: 34, before: 4},
		{prefix: "4b1d", set: setAlnum, min: 38, max: 38},
		{prefix: "clojars_", fold: true, set: setAlnum, min: 60, max: 60},
		{prefix: "v1.0-", set: setHex | setScore, min: 171, max: 171},
		{prefix: "dapi", set: setHex | setScore, min: 32, max: 34},
		{prefix: "dnkey-", set: setWord | setBase64, min: 60, max: 90},
		{prefix: "doo_v1_", set: setHex, min: 64, max: 64},
		{prefix: "dop_v1_", set: setHex, min: 64, max: 64},
		{prefix: "dor_v1_", set: setHex, min: 64, max: 64},
		{prefix: "dp.pt.", set: setAlnum, min: 40, max: 46},
		{prefix: "duffel_test_", set: setWord | setBase64, min: 43, max: 43},
		{prefix: "duffel_live_", set: setWord | setBase64, min: 43, max: 43},
		{prefix: "dt0c01.", set: setAlnum | setDot, min: 80, max: 96},
		{prefix: "EZAK", set: setAlnum, min: 54, max: 54},
		{prefix: "EZTK", set: setAlnum, min: 54, max: 54},
		{prefix: "EAAM", set: setAlnum, min: 80, max: 400},
		{prefix: "EAAC", set: setAlnum, min: 80, max: 400},
		{prefix: "FLWSECK_TEST-", set: setAlnum | setScore, min: 12, max: 40},
		{prefix: "FLWPUBK_TEST-", set: setAlnum | setScore, min: 12, max: 40},
		{prefix: "FLWSECK-", set: setAlnum | setScore, min: 12, max: 40},
		{prefix: "fo1_", set: setWord, min: 43, max: 43},
		{prefix: "fm1a_", set: setB64, min: 100, max: noLimit},
		{prefix: "fm1r_", set: setB64, min: 100, max: noLimit},
		{prefix: "fm2_", set: setB64, min: 100, max: noLimit},
		{prefix: "fio-u-", set: setWord | setBase64, min: 64, max: 64},
		{prefix: "AIza", set: setWord, min: 35, max: 35},
		{prefix: "ghp_", set: setAlnum, min: 36, max: 255},
		{prefix: "gho_", set: setAlnum, min: 36, max: 255},
		{prefix: "ghu_", set: setAlnum, min: 36, max: 255},
		{prefix: "ghs_", set: setAlnum, min: 36, max: 255},
		{prefix: "ghr_", set: setAlnum, min: 36, max: 255},
		{prefix: "github_pat_", set: setWord, min: 60, max: 100},
		{prefix: "glcbt-", set: setWord, min: 20, max: 30},
		{prefix: "gldt-", set: setWord, min: 20, max: 30},
		{prefix: "glffct-", set: setWord, min: 20, max: 30},
		{prefix: "glft-", set: setWord, min: 20, max: 30},
		{prefix: "glimt-", set: setWord, min: 20, max: 30},
		{prefix: "glagent-", set: setWord, min: 20, max: 60},
		{prefix: "gloas-", set: setWord, min: 64, max: 64},
		{prefix: "glpat-", set: setDots, min: 20, max: 320},
		{prefix: "glptt-", set: setHex, min: 40, max: 40},
		{prefix: "GR1348941", set: setWord, min: 20, max: 30},
		{prefix: "glrt-", set: setDots, min: 20, max: 320},
		{prefix: "glsoat-", set: setWord, min: 20, max: 30},
		{prefix: "_gitlab_session=", set: setAlnum, min: 32, max: 32},
		{prefix: "eyJrIjoi", set: setB64, min: 70, max: 400},
		{prefix: "glc_", set: setB64, min: 32, max: 400},
		{prefix: "glsa_", set: setWord, min: 41, max: 41},
		{prefix: "pat.", set: setDots, min: 60, max: 80},
		{prefix: "sat.", set: setDots, min: 60, max: 80},
		{prefix: ".atlasv1.", set: setWord | setBase64, min: 60, max: 70, before: 14},
		{prefix: "HRKU-AA", set: setWord, min: 58, max: 58},
		{prefix: "hf_", set: setUpper | setLower, min: 34, max: 40},
		{prefix: "api_org_", set: setUpper | setLower, min: 34, max: 40},
		{prefix: "ico-", set: setAlnum, min: 32, max: 32},
		{prefix: "s-s4t2", set: setWord, min: 67, max: 67},
		{prefix: "lin_api_", set: setAlnum, min: 40, max: 40},
		{prefix: "_mmk", set: 0, min: 0, max: 0, before: 36},
		{prefix: "ntn_", set: setAlnum, min: 43, max: 50},
		{prefix: "npm_", set: setAlnum, min: 36, max: 36},
		{prefix: "API-", set: setUpper | setDigit, min: 25, max: 32},
		{prefix: "T3BlbkFJ", set: setWord, min: 20, max: 120, before: -1},
		{prefix: "sk-proj-", set: setWord, min: 40, max: 220},
		{prefix: "sk-svcacct-", set: setWord, min: 40, max: 220},
		{prefix: "sk-admin-", set: setWord, min: 40, max: 220},
		{prefix: "sha256~", set: setWord, min: 43, max: 43},
		{prefix: "pplx-", set: setAlnum, min: 40, max: 60},
		{prefix: "pscale_tkn_", set: setDots | setBase64, min: 32, max: 64},
		{prefix: "pscale_oauth_", set: setDots | setBase64, min: 32, max: 64},
		{prefix: "pscale_pw_", set: setDots | setBase64, min: 32, max: 64},
		{prefix: "PMAK-", set: setHex | setScore, min: 59, max: 59},
		{prefix: "pnu_", set: setAlnum, min: 36, max: 36},
		{prefix: "pul-", set: setHex, min: 40, max: 40},
		{prefix: "pypi-AgE", set: setWord, min: 50, max: 1000},
		{prefix: "rdme_", set: setAlnum, min: 70, max: 70},
		{prefix: "rubygems_", set: setHex, min: 48, max: 48},
		{prefix: "tk-us-", set: setWord, min: 48, max: 48},
		{prefix: "SG.", set: setDots, min: 60, max: 70},
		{prefix: "xkeysib-", set: setWord, min: 75, max: 85},
		{prefix: "sntrys_", set: setB64 | setScore, min: 60, max: 500},
		{prefix: "sntryu_", set: setHex, min: 64, max: 64},
		{prefix: "sm_aat_", set: setAlnum, min: 16, max: 40},
		{prefix: "sm_pat_", set: setAlnum, min: 16, max: 40},
		{prefix: "sm_sat_", set: setAlnum, min: 16, max: 40},
		{prefix: "shippo_live_", set: setHex, min: 40, max: 40},
		{prefix: "shippo_test_", set: setHex, min: 40, max: 40},
		{prefix: "shpat_", set: setHex, min: 32, max: 32},
		{prefix: "shpca_", set: setHex, min: 32, max: 32},
		{prefix: "shppa_", set: setHex, min: 32, max: 32},
		{prefix: "shpss_", set: setHex, min: 32, max: 32},
		{prefix: "xapp-", set: setAlnum | setScore, min: 30, max: 150},
		{prefix: "xoxb-", set: setAlnum | setScore, min: 20, max: 120},
		{prefix: "xoxp-", set: setAlnum | setScore, min: 20, max: 120},
		{prefix: "xoxe-", set: setAlnum | setScore, min: 20, max: 200},
		{prefix: "xoxe.xox", set: setAlnum | setScore, min: 100, max: 200},
		{prefix: "xoxo-", set: setAlnum | setScore, min: 20, max: 120},
		{prefix: "xoxs-", set: setAlnum | setScore, min: 20, max: 120},
		{prefix: "xoxa-", set: setAlnum | setScore, min: 8, max: 120},
		{prefix: "xoxr-", set: setAlnum | setScore, min: 8, max: 120},
		{prefix: "hooks.slack.com/", set: setAlnum | setBase64, min: 40, max: 100},
		{prefix: "discord.com/api/webhooks/", set: setWord | setBase64, min: 60, max: 120},
		{prefix: ".webhook.office.com/webhookb2/", set: setAll, min: 60, max: 300},
		{prefix: "sgp_", set: setWord, min: 40, max: 62},
		{prefix: "EAAA", set: setWord, min: 40, max: 80},
		{prefix: "sq0atp-", set: setWord, min: 22, max: 60},
		{prefix: "sk_live_", set: setAlnum, min: 10, max: 99},
		{prefix: "sk_test_", set: setAlnum, min: 10, max: 99},
		{prefix: "sk_prod_", set: setAlnum, min: 10, max: 99},
		{prefix: "rk_live_", set: setAlnum, min: 10, max: 99},
		{prefix: "rk_test_", set: setAlnum, min: 10, max: 99},
		{prefix: "rk_prod_", set: setAlnum, min: 10, max: 99},
		{prefix: ":AA", set: setWord, min: 32, max: 34, before: -1},
		{prefix: "tfp_", set: setDots | setBase64, min: 50, max: 62},
		{prefix: "SK", set: setHex, min: 32, max: 32},
		{prefix: "hvb.", set: setWord, min: 100, max: 320},
		{prefix: "hvs.", set: setWord, min: 24, max: 130},
		{prefix: "ZXlK", set: setB64 | setScore, min: 60, max: noLimit},
		{prefix: "AQVN", set: setWord, min: 35, max: 38},
		{prefix: "NRAK-", set: setAlnum, min: 27, max: 27},
		{prefix: "NRJS-", set: setHex, min: 19, max: 19},
		{prefix: "NRII-", set: setAlnum | setScore, min: 32, max: 32},
		{prefix: "access-sandbox-", set: setHex | setScore, min: 36, max: 36},
		{prefix: "access-production-", set: setHex | setScore, min: 36, max: 36},
		{prefix: "access-development-", set: setHex | setScore, min: 36, max: 36},
		{prefix: "key-", set: setHex, min: 32, max: 32},
		{prefix: "live_pub_", set: setHex, min: 31, max: 31},
		{prefix: "test_pub_", set: setHex, min: 31, max: 31},

		{prefix: "pubkey-", set: setHex, min: 32, max: 32},
		{prefix: "oy2", set: setLower | setDigit, min: 43, max: 43},
		{prefix: "squ_", set: setHex, min: 40, max: 40},
		{prefix: "sqp_", set: setHex, min: 40, max: 40},
		{prefix: "sqa_", set: setHex, min: 40, max: 40},
		{prefix: "sk.eyJ", set: setDots, min: 60, max: 160},
		{prefix: "phc_", set: setAlnum, min: 40, max: 50},
		{prefix: "zpka_", set: setAlnum | setScore, min: 32, max: 60},
		{prefix: "endr+", set: setAlnum, min: 16, max: 16},
		{prefix: "re_", set: setAlnum | setScore, min: 32, max: 34},
		{prefix: "rnd_", set: setAlnum, min: 28, max: 40},
		{prefix: "tvly-", set: setAlnum | setScore, min: 32, max: 48},
		{prefix: "sk-lf-", set: setHex | setScore, min: 36, max: 36},
		{prefix: "cal_live_", set: setHex, min: 32, max: 40},
		{prefix: "live_", set: setHex, min: 35, max: 35},
		{prefix: "test_", set: setHex, min: 35, max: 35},
		{prefix: "hooks.zapier.com/hooks/catch/", set: setAlnum | setBase64, min: 12, max: 40},
		{prefix: "sk-or-v1-", set: setHex, min: 60, max: 68},
		{prefix: "gsk_", set: setAlnum, min: 48, max: 56},
		{prefix: "xai-", set: setAlnum, min: 70, max: 90},
		{prefix: "nvapi-", set: setWord, min: 60, max: 70},
		{prefix: "r8_", set: setAlnum, min: 37, max: 37},
		{prefix: "lsv2_", set: setWord, min: 40, max: 60},
		{prefix: "dckr_pat_", set: setWord, min: 27, max: 40},
		{prefix: "dckr_oat_", set: setWord, min: 27, max: 40},
		{prefix: "ATCTT3", set: setWord | setBase64, min: 100, max: 220},
		{prefix: "ATBB", set: setAlnum, min: 28, max: 34},
		{prefix: "CFPAT-", set: setWord, min: 43, max: 43},
		{prefix: "figd_", set: setWord, min: 38, max: 44},
		{prefix: "nfp_", set: setAlnum, min: 36, max: 40},
		{prefix: "tskey-", set: setWord, min: 24, max: 70},
		{prefix: "sbp_", set: setHex, min: 40, max: 40},
		{prefix: "whsec_", set: setB64, min: 32, max: 48},
		{prefix: "sq0csp-", set: setWord, min: 43, max: 43},
		{prefix: "dp.st.", set: setDots, min: 40, max: 70},
		{prefix: "dp.ct.", set: setAlnum, min: 40, max: 46},
		{prefix: "ya29.", set: setWord, min: 60, max: 400},
		{prefix: "GOCSPX-", set: setWord, min: 28, max: 28},
		{prefix: "AKID", set: setAlnum, min: 32, max: 36},
		{prefix: "phx_", set: setAlnum, min: 40, max: 50},
		{prefix: "vcp_", set: setAlnum, min: 50, max: 64},
		{prefix: "sl.", set: setWord, min: 120, max: 160},
		{prefix: "secret_", set: setAlnum, min: 43, max: 43},
	}
}

// key checks for a key of format f whose prefix lies at p.
func (s *scanner) key(f *keyFormat, p int) {
	if s.keyFormat == f && p < s.keyEnd {
		return
	}
	start, ok := s.beforePrefix(f, p)
	if !ok || start > 0 && setAlnum.has(s.text[start-1]) && !s.escaped(start) {
		return
	}
	end := p + len(f.prefix)
	n := run(s.text[end:], f.set, f.max+1)
	if f.max == noLimit { // what begins within it is a part of it, or no key either
		s.keyFormat, s.keyEnd = f, end+n
	}
	for n > 0 && !setAlnum.has(s.text[end+n-1]) && s.text[end+n-1] != '=' {
		n-- // a full stop or dash after the key
	}
	if n < f.min || n > f.max {
		return
	}
	end += n
	if key := s.text[start:end]; random(key) || f.max-f.min <= looseLength && varied(key) {
		s.found(apiKey, start, end)
	}
}

// looseLength is by how much the length of keys of one format may differ for
// it to be evidence by itself.
const looseLength = 8

// beforePrefix finds where a key begins whose format allows bytes before its
// prefix.
func (s *scanner) beforePrefix(f *keyFormat, p int) (int, bool) {
	start := p
	if f.before < 0 {
		for start > 0 && p-start < 80 && setDots.has(s.text[start-1]) {
			start--
		}
		return start, p-start >= 3
	}
	for start > 0 && p-start < f.before && (setDots | setTilde).has(s.text[start-1]) {
		start--
	}
	return start, p-start == f.before
}

// escaped reports whether the letter before start belongs to an escape such
// as \n rather than to the value.
func (s *scanner) escaped(start int) bool {
	return start > 1 && s.text[start-2] == '\\'
}

// run counts the bytes of the set that text begins with, up to limit.
func run(text []byte, set alphabet, limit int) int {
	n := min(len(text), limit)
	for i := range n {
		if !set.has(text[i]) {
			return i
		}
	}
	return n
}

// random reports whether a key looks drawn by lot: varied and, unless it is
// very long, with digits or in mixed case.
func random(key []byte) bool {
	if !varied(key) {
		return false
	}
	digits, upper, lower := 0, 0, 0
	for _, c := range key {
		switch {
		case isDigit(c):
			digits++
		case c-'A' < 26:
			upper++
		case c-'a' < 26:
			lower++
		}
	}
	return digits > 1 || upper > 1 && lower > 1 && len(key) > 24
}

// varied reports whether a key has enough different characters.
func varied(key []byte) bool {
	var seen [4]uint64
	for _, c := range key {
		seen[c>>6] |= 1 << (c & 63)
	}
	return ones(seen[0])+ones(seen[1]) >= min(8, len(key)/2)
}

// sharedFormats is the table of formats. It never changes.
var sharedFormats = sync.OnceValue(keyFormats)
