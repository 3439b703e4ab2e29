package serve

import (
	"testing"

	"hoop/broker/config"
	"hoop/broker/identity"
)

func TestIssuersFilesStandBesideTheConfiguration(t *testing.T) {
	cfg := &config.Config{Dir: "/etc/hoop"}
	cfg.Ident.Issuers = []identity.IssuerConfig{{JWKSFile: "jwks.json", CAFile: "/ca.pem"}, {}}
	got := issuersOf(cfg)
	if got[0].JWKSFile != "/etc/hoop/jwks.json" || got[0].CAFile != "/ca.pem" || got[1].JWKSFile != "" || got[1].CAFile != "" {
		t.Errorf("%+v", got)
	}
	if cfg.Ident.Issuers[0].JWKSFile != "jwks.json" {
		t.Error("the configuration itself was changed")
	}
}
