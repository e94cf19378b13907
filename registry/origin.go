package registry

// Restriction is one half of a package's origin controls.
type Restriction string

// The restrictions of a package (user guide, "Editing package origin controls").
const (
	Allow Restriction = "ALLOW"
	Block Restriction = "BLOCK"
)

// OriginControls say how new versions of a package may enter a repository. The zero value blocks both ways.
type OriginControls struct {
	Publish  Restriction // direct publishing
	Upstream Restriction // ingestion from external connections and retention from upstream repositories
}

// MayPublish says whether a version may be published directly.
func (c OriginControls) MayPublish() bool { return c.Publish == Allow }

// MayComeFromUpstream says whether versions may be fetched or retained from upstreams; if not, no upstream is even asked.
func (c OriginControls) MayComeFromUpstream() bool { return c.Upstream == Allow }

// Arrival is the way by which the first version of a package comes into a repository.
type Arrival int

// The arrivals that set default origin controls.
const (
	ArrivalPublish          Arrival = iota // published directly
	ArrivalExternal                        // ingested from an external connection
	ArrivalInternalUpstream                // retained from a repository upstream
)

// DefaultControls returns the origin controls that the first arrival of a package sets (user guide, "Default package origin
// control settings"; readings A4). groupsRestrict says that an effective package group setting is not ALLOW: then the group
// decides and the package itself allows both.
func DefaultControls(a Arrival, groupsRestrict bool) OriginControls {
	if groupsRestrict {
		return OriginControls{Publish: Allow, Upstream: Allow}
	}
	if a == ArrivalPublish {
		return OriginControls{Publish: Allow, Upstream: Block}
	}
	return OriginControls{Publish: Block, Upstream: Allow}
}
