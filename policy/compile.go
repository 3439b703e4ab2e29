package policy

// Policy is every rule, label and mask in force, compiled. It never changes.
type Policy struct{}

// Compile checks documents and makes them one policy.
func Compile(docs []Document) (*Policy, error) { return &Policy{}, nil }

// Evaluate gives the verdict on one action.
func (p *Policy) Evaluate(in *Input) Verdict { return Verdict{} }

// Labels lists the column labels that hold on a connection.
func (p *Policy) Labels(c *Connection) []ColumnLabel { return nil }

// Mask gives the mask of a label or detector class.
func (p *Policy) Mask(label string) MaskSpec { return MaskSpec{Method: "redact"} }

// Detectors lists the detector classes switched on for a connection.
func (p *Policy) Detectors(c *Connection) []string { return nil }

// Digest identifies the policy: SHA-256 over the documents, in hexadecimal.
func (p *Policy) Digest() string { return "" }
