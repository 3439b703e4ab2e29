// Package approval is one request for a second person's word, and the answer:
// pending → approved, denied, expired or cancelled; and the grants that an
// answer may leave.
//
// # Scope
//
// It decides who may answer and when a request is settled. It evaluates no
// rule and speaks to no client: package broker waits with the session, and asks
// the policy in force again before anything runs. It trusts nobody's word that
// an answer was given: each is a signature with the approver's own key, checked
// when it comes and kept in the audit log with all that it covers, so that it
// can be checked later without this package's store.
package approval
