package mask

// class is what a finding is. The built-in classes stand in the order in which
// they win over one another on the same bytes; custom classes follow.
type class uint8

const (
	privateKey class = iota
	jwt
	apiKey
	creditCard
	iban
	usSSN
	email
	phone
	genericSecret
	builtinClasses // their number
)

func classNames() []string {
	return []string{
		privateKey: "private_key", jwt: "jwt", apiKey: "api_key", creditCard: "credit_card",
		iban: "iban", usSSN: "us_ssn", email: "email", phone: "phone", genericSecret: "generic_secret",
	}
}

// Classes lists the built-in classes.
func Classes() []string { return classNames() }
