package identity

import (
	"net/url"
	"strings"
)

// vendor is what is known of a provider's ways, by the host of its issuer.
type vendor struct {
	name string
	// groups says how to get all groups into the ID token.
	groups string
}

func vendorOf(issuer string) vendor {
	u, err := url.Parse(issuer)
	if err != nil {
		return vendor{}
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case host == "login.microsoftonline.com", host == "sts.windows.net", strings.HasSuffix(host, ".microsoftonline.us"), strings.HasSuffix(host, ".partner.microsoftonline.cn"):
		return vendor{"Entra", "in Entra, set Token configuration → groups claim to \"Groups assigned to the application\" " +
			"(a person in more than 200 groups otherwise gets no list), or use app roles with groups_claim: roles"}
	case strings.HasSuffix(host, ".okta.com"), strings.HasSuffix(host, ".oktapreview.com"), strings.HasSuffix(host, ".okta-emea.com"):
		return vendor{"Okta", "in Okta, add a Groups claim with a filter to the ID token of this application or authorization server"}
	case host == "accounts.google.com":
		return vendor{"Google", "Google never puts groups into ID tokens: set groups_required: false for this issuer and write rules by e-mail address, or put a provider such as Keycloak or dex in between"}
	case strings.Contains(u.Path, "/realms/"):
		return vendor{"Keycloak", "in Keycloak, add a Group Membership mapper for the claim \"groups\" to the client, with \"Add to ID token\" on"}
	}
	return vendor{groups: "let the issuer put the groups into the ID token, name the claim with groups_claim, or set groups_required: false for this issuer"}
}

// templated gives the cure for an issuer URL of Entra that stands for many
// tenants; "" where it does not. With such a URL anybody's tenant could log in.
func templated(issuer string) string {
	low := strings.ToLower(issuer)
	for _, part := range []string{"/common", "/organizations", "/consumers", "/{tenantid}", "/{tenant}"} {
		if vendorOf(low).name == "Entra" && (strings.Contains(low, part+"/") || strings.HasSuffix(low, part)) {
			return "url " + issuer + " stands for every tenant of Entra: put your own tenant id there, https://login.microsoftonline.com/TENANT-ID/v2.0"
		}
	}
	return ""
}
