package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShortNames(t *testing.T) {
	const eks = "arn:aws:eks:eu-west-1:111122223333:cluster/"
	for name, c := range map[string]struct {
		contexts []string
		want     map[string]string
	}{
		"EKS":         {[]string{eks + "prod-east", eks + "prod-west"}, map[string]string{eks + "prod-east": "prod-east", eks + "prod-west": "prod-west"}},
		"GKE":         {[]string{"gke_my-project_europe-west1_east", "west"}, map[string]string{"gke_my-project_europe-west1_east": "east"}},
		"short names": {[]string{"east", "kind-west"}, map[string]string{}},
		"one name in two accounts": {
			[]string{"arn:aws:eks:eu-west-1:111122223333:cluster/prod", "arn:aws:eks:eu-west-1:444455556666:cluster/prod"},
			map[string]string{
				"arn:aws:eks:eu-west-1:111122223333:cluster/prod": "111122223333:cluster/prod",
				"arn:aws:eks:eu-west-1:444455556666:cluster/prod": "444455556666:cluster/prod",
			},
		},
		"the tail is another context": {[]string{eks + "east", "east"}, map[string]string{eks + "east": "cluster/east"}},
		"the tail ends another name":  {[]string{eks + "east", "north-east"}, map[string]string{eks + "east": "cluster/east"}},
		"nothing to cut":              {[]string{"a-name-without-a-separator-in-it"}, map[string]string{}},
	} {
		if diff := cmp.Diff(c.want, ShortNames(c.contexts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
