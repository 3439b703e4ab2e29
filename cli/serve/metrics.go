package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// listenMetrics serves metrics and health on a port of their own.
func (i *Instance) listenMetrics(ctx context.Context) error {
	addr := i.config.Load().Metrics.Listen
	if addr == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("listen for metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", i.serveMetrics)
	mux.Handle("GET /healthz", i.handler.Routes())
	mux.Handle("GET /readyz", i.handler.Routes())
	i.metrics = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second}
	i.running.Go(func() {
		if err := i.metrics.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			i.failed <- fmt.Errorf("serve metrics: %w", err)
		}
	})
	return nil
}

// measure names every metric of the broker.
func (i *Instance) measure(e *exposition) {
	stats, streams := i.broker.Stats(), i.tunnels.Stats()
	healthy := 0.0
	if i.recorder.Health() == nil {
		healthy = 1
	}
	e.gauge("hoop_sessions_live", "Sessions that are open now.", float64(len(i.broker.Live())))
	e.counter("hoop_sessions_total", "Sessions opened or refused since the start.", float64(stats.Sessions))
	e.counter("hoop_decisions_allowed_total", "Actions that were allowed.", float64(stats.Allowed))
	e.counter("hoop_decisions_denied_total", "Actions that were denied.", float64(stats.Denied))
	e.counter("hoop_audit_events_total", "Events in the audit log.", float64(i.recorder.Len()))
	e.gauge("hoop_audit_healthy", "1 while the audit log accepts events; at 0 everything is denied.", healthy)
	e.gauge("hoop_streams_active", "Tunnel streams, suspended ones included.", float64(streams.Active))
	e.gauge("hoop_streams_suspended", "Tunnel streams without a network connection.", float64(streams.Suspended))
	e.counter("hoop_streams_resumed_total", "Times that a stream got a new network connection.", float64(streams.Resumed))
	e.counter("hoop_stream_bytes_received_total", "Bytes received from clients.", float64(streams.BytesIn))
	e.counter("hoop_stream_bytes_sent_total", "Bytes sent to clients.", float64(streams.BytesOut))
}
