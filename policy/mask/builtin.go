package mask

const pemBegin = "-----BEGIN "

// builtinLiterals lists the literals of all built-in classes. A custom rule
// brings its own (custom.go).
func builtinLiterals() []literal {
	out := []literal{
		{text: "eyJ", what: triggerJWT},
		{text: pemBegin, what: triggerPEM},
		{text: "LS0tLS1CRUdJTi", what: triggerPEM64},
		{text: "%40", what: triggerAt},
		{text: "basic ", fold: true, what: triggerScheme},
		{text: "bearer ", fold: true, what: triggerScheme},
		{text: "authorization: token ", fold: true, what: triggerScheme},
		{text: "authorization: ssws ", fold: true, what: triggerScheme},
		{text: "identified by ", fold: true, what: triggerBy},
		{text: " -p", what: triggerOption},
		{text: " -u", what: triggerOption},
		{text: `"auth"`, what: triggerAuth},
		{text: ":5432:", what: triggerPgpass},
		{text: ":5433:", what: triggerPgpass},
		{text: ":6432:", what: triggerPgpass},
	}
	for _, name := range []string{"pass", "pwd", "_pw", "-pw", "kennwort", "secret", "token", "_key", "-key", ".key", "apikey",
		"accesskey", "accountkey", "authkey", "masterkey", "privatekey", "sharedkey", "signingkey", "encryptionkey", "consumerkey", "session", "credential"} {
		out = append(out, literal{text: name, fold: true, what: triggerName})
	}
	for _, words := range []string{"api key", "access key", "secret key", "unseal key"} {
		out = append(out, literal{text: words, fold: true, what: triggerWords})
	}
	for _, word := range []string{"contraseña", "mot de passe", "senha", "wachtwoord", "hasło", "пароль", "Пароль", "密码", "密碼", "パスワード"} {
		out = append(out, literal{text: word, what: triggerSpoken})
	}
	for _, scheme := range []string{"$1$", "$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$7$", "$argon2", "$apr1$", "$scrypt$"} {
		out = append(out, literal{text: scheme, what: triggerCrypt})
	}
	for i, f := range keyFormats() {
		for _, text := range prefixes(&f) {
			out = append(out, literal{text: text, fold: f.fold, what: triggerVendor, vendor: uint16(i)})
		}
	}
	return out
}

// prefixes gives the prefix of a format, or, where it is too short for a
// fingerprint, the prefix with every byte that may stand next to it.
func prefixes(f *keyFormat) []string {
	prefix := f.prefix
	if f.fold {
		prefix = string(lowerAll([]byte(prefix)))
	}
	if len(prefix) >= fingerprint {
		return []string{prefix}
	}
	var out []string
	for b := range 256 {
		if f.set.has(byte(b)) {
			out = append(out, prefix+string(rune(b)))
		}
	}
	return out
}

func lowerAll(b []byte) []byte {
	for i := range b {
		b[i] = lower(b[i])
	}
	return b
}
