package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// PackSpec puts a ready-made set of rules in front of a document's own. A pack
// only takes away: what it does not deny or hold, other rules still have to
// allow.
type PackSpec struct {
	// Pack is read-only, no-unbounded-writes, ddl-needs-approval, pii-default
	// or ssh-basics.
	Pack string `yaml:"pack"`
	// Name is what the record calls the pack's rules; Pack where absent. It
	// tells two uses of one pack apart.
	Name string `yaml:"name,omitempty"`
	// Who and Connections bound whom it is for; all where absent.
	Who         *WhoSpec  `yaml:"who,omitempty"`
	Connections *ConnSpec `yaml:"connections,omitempty"`
	// Approval tells who may answer, where the pack asks for approvals.
	Approval *ApprovalSpec `yaml:"approval,omitempty"`
}

// pack is what stands behind a name.
type pack struct {
	rules      []RuleSpec
	masks      map[string]MaskSpec
	predicates map[string]string
	classes    []string // of detectors
}

func packOf(name string) (pack, bool) {
	yes := true
	switch name {
	case "read-only":
		return pack{rules: []RuleSpec{{
			SQL: &SQLSpec{Effects: []string{"write", "ddl", "code", "file", "program", "admin"}}, Effect: "deny",
			Reason: "this connection is read only", Hint: "SELECT, SHOW, EXPLAIN and COPY … TO STDOUT only read",
		}}}, true
	case "no-unbounded-writes":
		return pack{rules: []RuleSpec{{
			SQL: &SQLSpec{Unbounded: &yes}, Effect: "deny", Reason: "this UPDATE, DELETE or TRUNCATE would touch every row",
			Hint: "use a WHERE clause that is not always true",
		}}}, true
	case "ddl-needs-approval":
		return pack{rules: []RuleSpec{{
			SQL: &SQLSpec{Effects: []string{"ddl", "admin"}}, Effect: "require_approval", Reason: "this changes what the database is made of",
		}}}, true
	case "pii-default":
		return pack{
			masks: map[string]MaskSpec{
				"default": {Method: "redact"}, "pii.email": {Method: "partial"}, "pii.phone": {Method: "partial"},
				"pii.name": {Method: "redact"}, "pci.pan": {Method: "partial"}, "credit_card": {Method: "partial"},
			},
			predicates: map[string]string{"default": "equality", "pci.cvv": "deny"},
			classes:    []string{"credit_card", "us_ssn", "iban", "email", "phone", "jwt", "private_key", "api_key"},
		}, true
	case "ssh-basics":
		return pack{rules: sshBasics()}, true
	}
	return pack{}, false
}

// sshBasics takes away what few need and much is done with: the client's agent
// and display, variables other than the locale, writing to files that a login
// runs or trusts, and requests that nobody understands.
func sshBasics() []RuleSpec {
	return []RuleSpec{{
		Name: "offers", Actions: []string{SSHAgent, SSHX11}, Effect: "deny",
		Reason: "the target is not offered your agent or display", Hint: "from the target, go on by hoop connections of their own",
	}, {
		Name: "variables", Actions: []string{SSHEnv}, When: `!(ssh.env_name == "LANG" || ssh.env_name.matches("^LC_[A-Z]+$"))`, Effect: "deny",
		Reason: "only LANG and LC_* are passed on",
	}, {
		Name:    "login-files",
		Actions: []string{SSHSFTPWrite, SSHSFTPSetstat, SSHSFTPMkdir, SSHSFTPRmdir, SSHSFTPRemove, SSHSFTPRename, SSHSFTPLink},
		SSH:     &SSHSpec{Paths: loginFiles()}, Effect: "deny", Reason: "a login runs or trusts this file",
	}, {
		Name: "unknown", Actions: []string{SSHUnknown}, Effect: "deny", Reason: "nobody understands this request",
	}}
}

// loginFiles are those that sshd and the login shells read, in the usual homes.
func loginFiles() []string {
	var all []string
	for _, home := range []string{"/root/", "/home/*/"} {
		for _, file := range []string{".ssh/*", ".ssh", ".bash*", ".profile", ".zsh*", ".zprofile", ".zlogin", ".login", ".cshrc", ".tcshrc",
			".kshrc", ".mkshrc", ".config/fish/*", ".config/fish", ".pam_environment", ".environment", ".rhosts", ".shosts"} {
			all = append(all, home+file)
		}
	}
	return all
}

// Packs lists the names of the ready-made packs.
func Packs() []string {
	return []string{"ddl-needs-approval", "no-unbounded-writes", "pii-default", "read-only", "ssh-basics"}
}

// unpack gives the rules of a document's packs, and what else they bring, and
// checks how they are asked for.
func (c *checker) unpack(path string, spec *PackSpec) pack {
	p, ok := packOf(spec.Pack)
	if !ok {
		c.add(path+".pack", "%q is no pack: %s", spec.Pack, strings.Join(Packs(), ", "))
		return pack{}
	}
	asks := slices.ContainsFunc(p.rules, func(r RuleSpec) bool { return r.Effect == RequireApproval.String() })
	switch {
	case asks && spec.Approval == nil:
		c.add(path+".approval", "is missing: the pack asks for approvals, so say who may answer")
	case !asks && spec.Approval != nil:
		c.add(path+".approval", "means nothing: the pack asks for no approval")
	case len(p.rules) == 0 && spec.Who != nil:
		c.add(path+".who", "means nothing: masks are for everybody; a rule's unmask shows a label in clear")
	case len(p.rules) == 0 && spec.Connections != nil && (spec.Connections.Protocols != nil || spec.Connections.Labels != nil):
		c.add(path+".connections", "takes names only: detectors are switched on by the names of connections")
	}
	name := spec.Name
	if name == "" {
		name = spec.Pack
	}
	for i := range p.rules {
		r := &p.rules[i]
		if r.Name == "" {
			r.Name = name
		} else { // one of several
			r.Name = name + "-" + r.Name
		}
		if r.Effect == RequireApproval.String() {
			r.Approval = spec.Approval
		}
		r.Who, r.Connections = spec.Who, spec.Connections
	}
	return p
}

// packs adds what a document's packs bring, before its own rules. It gives the
// rules, which count for the digest.
func (p *Policy) packs(check *checker, rules *ruleCompiler, doc *Document) (added []pack) {
	for i := range doc.Packs {
		path := fmt.Sprintf("packs[%d]", i)
		spec := &doc.Packs[i]
		pk := check.unpack(path, spec)
		for j := range pk.rules {
			p.rules = append(p.rules, rules.rule(path, &pk.rules[j]))
		}
		if len(pk.classes) > 0 {
			d := DetectorSpec{Classes: pk.classes}
			if spec.Connections != nil {
				d.Connections = spec.Connections.Names
			}
			p.detectors = append(p.detectors, check.detector(path, &d))
		}
		added = append(added, pk)
	}
	return added
}

// fallBack puts the masks and predicates of packs where no document has any.
func (p *Policy) fallBack(packs []pack) {
	for _, pk := range packs {
		for _, label := range slices.Sorted(maps.Keys(pk.masks)) {
			if _, there := p.masks[label]; !there {
				p.masks[label] = pk.masks[label]
			}
		}
		for label, word := range pk.predicates {
			if _, there := p.predicates[label]; !there {
				p.predicates[label], _ = parsePredicates(word)
			}
		}
	}
}
