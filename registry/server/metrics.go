package server

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"packhouse.dev/packhouse/registry"
)

// metrics of package endpoints. Labels have few values: never a name that a client chose.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "packhouse_http_requests_total", Help: "Requests to package endpoints, by status; 0: the connection was broken.",
		}, []string{"format", "operation", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "packhouse_http_request_duration_seconds", Help: "Time from the header of a request to the end of its answer.",
			Buckets: []float64{.0005, .002, .01, .05, .2, 1, 5, 30, 120},
		}, []string{"format", "operation"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "packhouse_http_requests_in_flight", Help: "Requests to package endpoints that are being answered.",
		}),
	}
	if to == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.inFlight} {
		if err := to.Register(c); err != nil {
			return nil, fmt.Errorf("metrics of the server: %w", err)
		}
	}
	return m, nil
}

// counters of a format and operation, found once.
type counters struct {
	requests        *prometheus.CounterVec
	ok, notModified prometheus.Counter
	seconds         prometheus.Observer
}

func (m *metrics) counters(f registry.Format, operation string) counters {
	l := prometheus.Labels{"format": string(f), "operation": operation}
	requests := m.requests.MustCurryWith(l)
	return counters{
		requests: requests, seconds: m.seconds.With(l),
		ok: requests.WithLabelValues("200"), notModified: requests.WithLabelValues("304"),
	}
}

func (c *counters) observe(status int, took time.Duration) {
	c.seconds.Observe(took.Seconds())
	switch status {
	case http.StatusOK:
		c.ok.Inc()
	case http.StatusNotModified:
		c.notModified.Inc()
	default:
		c.requests.WithLabelValues(strconv.Itoa(status)).Inc()
	}
}
