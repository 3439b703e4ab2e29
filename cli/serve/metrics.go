package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
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
	mux.Handle("GET /metrics", promhttp.HandlerFor(i.registry(), promhttp.HandlerOpts{}))
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

// registry names every metric. They are read from the parts when asked for, so
// that counting costs a statement nothing more.
func (i *Instance) registry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	counter := func(name, help string, f func() float64) {
		r.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, f))
	}
	gauge("hoop_sessions_live", "Sessions that are open now.", func() float64 { return float64(len(i.broker.Live())) })
	counter("hoop_sessions_total", "Sessions opened or refused since the start.", func() float64 { return float64(i.broker.Stats().Sessions) })
	counter("hoop_decisions_allowed_total", "Actions that were allowed.", func() float64 { return float64(i.broker.Stats().Allowed) })
	counter("hoop_decisions_denied_total", "Actions that were denied.", func() float64 { return float64(i.broker.Stats().Denied) })
	counter("hoop_audit_events_total", "Events in the audit log.", func() float64 { return float64(i.recorder.Len()) })
	gauge("hoop_audit_healthy", "1 while the audit log accepts events; at 0 everything is denied.", func() float64 {
		if i.recorder.Health() != nil {
			return 0
		}
		return 1
	})
	gauge("hoop_streams_active", "Tunnel streams, suspended ones included.", func() float64 { return float64(i.tunnels.Stats().Active) })
	gauge("hoop_streams_suspended", "Tunnel streams without a network connection.", func() float64 { return float64(i.tunnels.Stats().Suspended) })
	counter("hoop_streams_resumed_total", "Times that a stream got a new network connection.", func() float64 { return float64(i.tunnels.Stats().Resumed) })
	counter("hoop_stream_bytes_received_total", "Bytes received from clients.", func() float64 { return float64(i.tunnels.Stats().BytesIn) })
	counter("hoop_stream_bytes_sent_total", "Bytes sent to clients.", func() float64 { return float64(i.tunnels.Stats().BytesOut) })
	return r
}
