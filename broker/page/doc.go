// Package page is where an approver answers in a browser, as from a phone: they
// sign in with an OpenID issuer, see all that the other ways show, and approve
// or deny.
//
// # Scope
//
// It shows approvals and takes answers, and nothing else of the broker is
// behind its cookie. It needs no script: the content policy forbids it. Who may
// answer is for package approval to say. A browser has no key of its own that
// the broker could not reach, as what runs in it would come from the broker;
// so an answer is signed here, with a key that is made at the sign-in and
// never kept, and the record says so: via page. Rules with own_key take none.
package page
