package config

import (
	"bytes"
	"fmt"
	"os"

	"hoop/broker/webhook"
)

func (w *Webhook) hook() webhook.Hook {
	h := webhook.Hook{URL: w.URL, Format: w.Format, Events: w.Events}
	if h.Format == "" {
		h.Format = "json"
	}
	return h
}

// Hooks are the webhooks with their secrets, read from their files.
func (c *Config) Hooks() ([]webhook.Hook, error) {
	var out []webhook.Hook
	for i := range c.Webhooks {
		h := c.Webhooks[i].hook()
		if file := c.Webhooks[i].SecretFile; file != "" {
			secret, err := os.ReadFile(c.Abs(file))
			if err != nil {
				return nil, Problems{c.Problem(fmt.Sprintf("webhooks[%d].secret_file", i), trimPath(err))}
			}
			h.Secret = bytes.TrimSpace(secret)
		}
		if err := h.Check(); err != nil {
			return nil, Problems{c.Problem(fmt.Sprintf("webhooks[%d]", i), err.Error())}
		}
		out = append(out, h)
	}
	return out, nil
}
