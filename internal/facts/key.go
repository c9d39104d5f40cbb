package facts

// Key is where the reads of one kind of object are kept in a Cluster: V is the object,
// or the list of them.
type Key[V any] struct{ at int }

// keys is how many there are.
var keys int

// NewKey makes a key of its own. Keys are made while packages are initialised, and not later.
func NewKey[V any]() Key[V] {
	keys++
	return Key[V]{at: keys - 1}
}

// Of is what was read of a cluster; NotAsked where nothing was.
func (k Key[V]) Of(c *Cluster) Read[V] {
	if k.at < len(c.reads) {
		if r, ok := c.reads[k.at].(*Read[V]); ok {
			return *r
		}
	}
	return Read[V]{}
}

// Set says what was read of a cluster. Copies of the cluster keep what they had.
func (k Key[V]) Set(c *Cluster, r Read[V]) { *k.Edit(c) = r }

// With is Set, and returns the cluster.
func (k Key[V]) With(c *Cluster, r Read[V]) *Cluster {
	k.Set(c, r)
	return c
}

// Edit is what was read of a cluster, to be changed at once: a pointer is good until
// the cluster is copied or another read of it is set.
func (k Key[V]) Edit(c *Cluster) *Read[V] {
	own := k.Of(c)
	reads := make([]any, keys)
	copy(reads, c.reads)
	reads[k.at] = &own
	c.reads = reads
	return &own
}
