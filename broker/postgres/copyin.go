package postgres

import (
	"fmt"

	"hoop/policy/sql"
)

// copying reports whether the target reads CopyData.
func (c *requests) copying() bool { return c.queue.is(func() bool { return c.queue.copyIn }) }

// awaitCopy waits after a COPY FROM STDIN until the target reads its data or
// has answered otherwise: which of the client's next messages it then ignores
// depends on that ("COPY Operations").
func (c *requests) awaitCopy(parts []sql.Statement) error {
	for i := range parts {
		if cp := parts[i].Copy; cp != nil && !cp.To && !cp.File && !cp.Program || parts[i].Facts.Unknown {
			return c.copyState()
		}
	}
	return nil
}

func (c *requests) copyState() error {
	return c.await(func() bool { return c.queue.copyIn || c.queue.empty() })
}

// whileCopying handles what is not CopyData while the target reads that. Flush
// and Sync are ignored, as PostgreSQL ignores them; anything else would end the
// copy there with an error that eats the message.
func (c *requests) whileCopying(kind byte, msg []byte) error {
	switch kind {
	case typeFlush, typeSync:
		c.flow.omit(len(msg))
	case typeTerminate:
		c.flow.pass(len(msg))
		c.leaving = true
	case typeCopyDone, typeCopyFail:
		c.flow.pass(len(msg))
		c.queue.locked(func() { c.queue.copyIn = false })
		return c.copyState()
	default:
		return fmt.Errorf("%w: unexpected message type 0x%02X during COPY from stdin", errProtocol, kind)
	}
	return nil
}
