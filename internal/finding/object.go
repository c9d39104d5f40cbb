package finding

// Object names one object of a cluster, or, with a kind alone, a set of them
// ("sidecars") or a setting ("trust domain").
type Object struct {
	// Kind is in lower case, as kubectl takes it: "secret", "service".
	Kind string `json:"kind"`
	// Namespace is "" for what is not in one.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
}

// In names an object of a namespace.
func In(kind, namespace, name string) Object { return Object{kind, namespace, name} }

// Named names an object that is in no namespace, or a thing that is no object of an API.
func Named(kind, name string) Object { return Object{Kind: kind, Name: name} }

// Kind names all objects of a kind, or a setting.
func Kind(kind string) Object { return Object{Kind: kind} }

// String is the kind, and the namespace and name as people write them: "secret
// istio-system/cacerts".
func (o Object) String() string {
	switch {
	case o.Name == "":
		return o.Kind
	case o.Namespace == "":
		return o.Kind + " " + o.Name
	default:
		return o.Kind + " " + o.Namespace + "/" + o.Name
	}
}
