// Package tunnel carries bytes between a local listener and the broker.
//
// It has four parts: the Stream, a net.Conn that outlives the network
// connection under it; the Dialer and the Server, its two ends; the TLS conn
// that both stand on; and the local listeners, which only their owner may use.
//
// # Scope
//
// It knows no protocol that runs inside a stream, no policy and no identity:
// who may open or resume a stream is said to it as an owner string, and a
// request is authorised by a function that the caller gives. It never retries
// what was not written through a Stream.
//
// # Wire format, version 1
//
// A stream begins as an HTTP/1.1 request with "Upgrade: hoop-tunnel/1" (RFC
// 9110 §7.8). The answer is 101 with "Hoop-Stream: ID". Then both sides send
// frames. All numbers are big-endian.
//
//	 0        1                 4                                 12
//	| type   | payload length  | bytes delivered so far (ack)     | payload …
//
//	1 DATA   ≤ 256 KiB of the stream
//	2 FIN    one zero byte: no DATA follows, the other direction stays open
//	3 CLOSE  code (2 bytes), reason (UTF-8, ≤ 1 KiB): both directions end
//	4 ACK    no payload
//	5 PING   no payload; answered with PONG
//	6 PONG   no payload
//
// The payloads of DATA, FIN and CLOSE are one sequence, counted in bytes from
// zero. The ack in each header is how many of the peer's sequenced bytes the
// application has taken; the peer keeps what it sent until then. At most 4 MiB
// may be unacknowledged, so neither side ever holds more than that for the
// other. A header that breaks a limit ends the stream.
//
// When the connection under a stream breaks, the client sends GET
// /v1/streams/ID?received=N with the same upgrade. The broker answers 101 with
// "Hoop-Received: M", and each side sends again from where the other stopped.
// Where it cannot, it answers 410 (the stream ended; the reason is in
// "Hoop-Reason") or 421 (this broker never had the stream: it was restarted, or
// a load balancer chose another one).
//
// A side that has sent nothing for 15 seconds sends PING. A side that has heard
// nothing for 45 seconds, or for 5 seconds after the clock jumped (the laptop
// slept), gives the connection up and resumes.
//
// Both ends want TLS 1.3, so a reverse proxy that speaks TLS to the broker must
// be told so (nginx: proxy_ssl_protocols TLSv1.3), as it must to pass Upgrade
// and Connection on.
//
// # Local listeners
//
// A unix socket stands in a directory of mode 0700. A TCP listener binds to a
// loopback address and asks the kernel, for every conn, which user's socket is
// at the other end. A web page runs as that same user: its HTTP request reaches
// the engine, where it is not a valid first message and is refused.
package tunnel
