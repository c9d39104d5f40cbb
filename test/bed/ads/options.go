package ads

// Option changes what a connection asks for.
type Option func(*options)

type options struct {
	withoutListeners bool
}

// WithoutListeners leaves out listeners and routes, which is faster when only
// endpoints are of interest.
func WithoutListeners() Option {
	return func(o *options) { o.withoutListeners = true }
}

func newOptions(all []Option) options {
	var o options
	for _, option := range all {
		option(&o)
	}
	return o
}
