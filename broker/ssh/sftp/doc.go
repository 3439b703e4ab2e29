// Package sftp inspects SFTP conversations between a client and a target's
// server without ending them: frames are read as they pass, each request that
// names a path is decided on before it is forwarded, and what is refused is
// answered in the server's place.
//
// # Scope
//
// It knows version 3 of the protocol (draft-ietf-secsh-filexfer-02, which all
// clients in use speak) and the extensions of OpenSSH's PROTOCOL file, section
// 4. It neither evaluates policy nor writes events: its caller does, in Decide.
// It does not mask or change what files hold. A request or extension that it
// does not understand is never forwarded, and the server's list of extensions
// is cut to those that it understands.
//
// # Paths
//
// Rules are about files, and a name can lead anywhere through a symbolic link.
// So before a request is decided on, the target itself is asked where its paths
// lead (SSH_FXP_REALPATH), and the decision is about that place as well as about
// the name. What remains is the moment between the answer and the request: who
// can change links at the target meanwhile, by another channel, can still lead a
// request elsewhere. A target whose REALPATH does not follow links makes every
// decision one about names. Where a target cannot tell where a path leads, the
// client is given the target's own error and nothing is forwarded.
package sftp
