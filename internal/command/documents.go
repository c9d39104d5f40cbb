package command

// Documents are what -o json prints of the commands that all plugins have, by kind: their published
// schemas are held against these types.
func Documents() map[string]any {
	return map[string]any{"Version": versionDocument{}, "Explanation": explanation{}, "MeshView": sectionsDocument{}}
}
