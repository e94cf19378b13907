package compile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	api "packhouse.dev/packhouse/api/v1alpha1"
	"packhouse.dev/packhouse/registry/config"
)

// TestRates: nothing is limited unless it is said, by number or by the profile; a number counts before the profile.
func TestRates(t *testing.T) {
	n := func(i int32) *int32 { return &i }
	profile := config.CodeArtifactRates()
	changed := config.CodeArtifactRates()
	changed.Reads, changed.Writes, changed.Operations["ListPackages"] = 0, 7, 9
	for name, tt := range map[string]struct {
		limits api.Limits
		want   config.RequestRates
	}{
		"nothing said":   {api.Limits{}, config.RequestRates{}},
		"the profile":    {api.Limits{Profile: "CodeArtifact"}, profile},
		"some numbers":   {api.Limits{RequestRates: api.RequestRates{Token: n(5), Address: n(6), Operations: map[string]int32{"ListPackages": 3}}}, config.RequestRates{Token: 5, Address: 6, Operations: map[string]int{"ListPackages": 3}}},
		"numbers before": {api.Limits{Profile: "CodeArtifact", RequestRates: api.RequestRates{Reads: n(0), Writes: n(7), Operations: map[string]int32{"ListPackages": 9}}}, changed},
	} {
		o := base()
		o.Registries[0].Spec.Limits = tt.limits
		if diff := cmp.Diff(tt.want, Compile(o, Documents{}, options).Registry.Limits.Rates); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
