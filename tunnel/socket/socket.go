// Package socket reads and writes a network socket with system calls that Go's
// scheduler is not told of. Such a call must not block, and a call on a socket
// of Go's never does; but the scheduler cannot know, and what it does about a
// call that might (hand the processor over, wake a thread for it) costs more
// than a small message itself.
//
// # Scope
//
// Linux only: elsewhere New gives back what it got. It buffers nothing and
// knows nothing of what it carries.
package socket

import "net"

// New gives a conn that does as c and costs less. It is c itself where c is no
// socket.
func New(c net.Conn) net.Conn { return wrap(c) }
