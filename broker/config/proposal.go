package config

import "hoop/policy"

// Proposal gives the policy of a file that is to take the place of all that a
// configuration says of policy: the connections stay. The file holds labels,
// masks, detectors, packs and rules, as an included one does.
func (c *Config) Proposal(path string) (*policy.Policy, error) {
	with := &Config{Path: path, Dir: c.Dir}
	var err error
	if with.sources, err = with.include(path, map[string]bool{}); err != nil {
		return nil, err
	}
	return with.Policy()
}
