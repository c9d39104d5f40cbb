package survey

import (
	"context"
	"encoding/json"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubectl-mesh/kubectl-mesh/internal/facts"
	"github.com/kubectl-mesh/kubectl-mesh/internal/resource"
)

// row reads a row, or one object of it, in the newest version that the cluster has.
// Nothing is discovered first: a version that there is not is answered with 404, and so
// is a resource that is not installed, in plain text where the whole group is not. served is
// the version in which it was read, where that is not the first.
func (a *API) row(ctx context.Context, row resource.Resource, system, name string) (in resource.Intake, served string, err error) {
	about := row.About()
	for i, version := range about.Versions {
		var c rest.Interface
		if c, err = a.client(about.Group, version); err != nil {
			return nil, "", err
		}
		in = row.Intake(&facts.Cluster{SystemNamespace: system})
		err = a.rowIn(ctx, c, row, system, name, in)
		if !about.Custom() || !apierrors.IsNotFound(err) {
			if i > 0 {
				served = version
			}
			return in, served, err
		}
	}
	return nil, "", apierrors.NewNotFound(schema.GroupResource{Group: about.Group, Resource: about.Resource}, "")
}

// rowIn reads a row in one version.
func (a *API) rowIn(ctx context.Context, c rest.Interface, row resource.Resource, system, name string, in resource.Intake) error {
	about := row.About()
	namespace := ""
	if about.Scope == resource.System {
		namespace = system
	}
	if about.Namespace != "" {
		namespace = about.Namespace
	}
	switch {
	case about.Path != "":
		return document(ctx, c, about.Path, row.NewObject(), in)
	case about.Question != nil:
		return ask(ctx, c, about.Resource, about.Question(system), in)
	case name != "" && about.Metadata:
		return metadata(ctx, c, about.Resource, name, row.NewObject(), in)
	case name != "":
		object := row.NewObject()
		err := one(Do(ctx, c.Get().NamespaceIfScoped(namespace, namespace != "").Resource(about.Resource).Name(name)), object, name)
		if row.Empty() == facts.OK && apierrors.IsNotFound(err) && fromAPIServer(err) {
			return nil // a list that the object would be in
		}
		if err != nil {
			return err
		}
		return in.Take(object)
	}
	options := metav1.ListOptions{LabelSelector: about.Labels, FieldSelector: about.Fields}
	if about.FromCache {
		options.ResourceVersion = "0"
	}
	if about.Metadata {
		return listMetadata(ctx, c, about.Resource, namespace, options, in)
	}
	err := listInto(ctx, c, row, namespace, options, in)
	if about.Scope == resource.ClusterElseSystem && apierrors.IsForbidden(err) {
		return listInto(ctx, c, row, system, options, in)
	}
	return err
}

// document reads JSON that is no object of an API, and takes it in as one.
func document(ctx context.Context, c rest.Interface, path string, object runtime.Object, in resource.Intake) error {
	text, err := Raw(Do(ctx, c.Get().AbsPath(path)))
	if err != nil {
		return err
	}
	if json.Unmarshal(text, object) != nil {
		return &wrongAnswer{want: object.GetObjectKind().GroupVersionKind().Kind}
	}
	return in.Take(object)
}

// ask posts a question, and takes in the answer with the question as it was asked.
func ask(ctx context.Context, c rest.Interface, resources string, question runtime.Object, in resource.Intake) error {
	review, ok := question.(*authorizationv1.SubjectAccessReview)
	if !ok {
		return fmt.Errorf("a question of type %T cannot be asked", question)
	}
	answer := &authorizationv1.SubjectAccessReview{}
	if err := Into(Do(ctx, c.Post().Resource(resources).Body(review)), answer); err != nil {
		return err
	}
	answer.Spec = review.Spec
	return in.Take(answer)
}

// listInto takes in all pages of a row's list, or its sample.
func listInto(
	ctx context.Context, c rest.Interface, row resource.Resource, namespace string, options metav1.ListOptions, in resource.Intake,
) error {
	about := row.About()
	l := listing{
		client: c, resource: about.Resource, namespace: namespace, list: row.NewList, item: row.NewObject, expect: in.Expect,
	}
	if about.Sample > 0 {
		options.Limit = about.Sample
		page, err := l.open(l.ask(ctx, options, 0))
		if err != nil {
			return err
		}
		defer page.free()
		return page.each(in.Take)
	}
	return l.all(ctx, options, in.Take)
}

// metadataOfOne asks an API server for the metadata of one object.
const metadataOfOne = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

// metadata takes in an object without a namespace of which there is only the metadata. A server that knows
// of no such thing sends all of it.
func metadata(ctx context.Context, c rest.Interface, resources, name string, object runtime.Object, in resource.Intake) error {
	text, err := Raw(Do(ctx, c.Get().Resource(resources).Name(name).SetHeader("Accept", metadataOfOne)))
	if err != nil {
		return err
	}
	var got metav1.PartialObjectMetadata
	if json.Unmarshal(text, &got) != nil {
		return fmt.Errorf("the metadata of %s cannot be read", resources)
	}
	if got.Name != name {
		return &wrongAnswer{got.Name, name}
	}
	of, err := meta.Accessor(object)
	if err != nil {
		return err
	}
	of.SetName(got.Name)
	of.SetLabels(got.Labels)
	of.SetAnnotations(got.Annotations)
	of.SetCreationTimestamp(got.CreationTimestamp)
	return in.Take(object)
}

// onlyMetadata asks an API server for the metadata of objects, without what is in them.
const onlyMetadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

// listMetadata takes in Secrets of which there is only the metadata: what is in them is never sent.
func listMetadata(
	ctx context.Context, c rest.Interface, resources, namespace string, options metav1.ListOptions, in resource.Intake,
) error {
	options.Limit = pageSize
	for {
		text, err := Raw(Do(ctx, with(c.Get().NamespaceIfScoped(namespace, namespace != "").Resource(resources), options).
			SetHeader("Accept", onlyMetadata)))
		if err != nil {
			return err
		}
		var page metav1.PartialObjectMetadataList
		if json.Unmarshal(text, &page) != nil {
			return fmt.Errorf("the list of %s cannot be read", resources)
		}
		if page.Kind != "PartialObjectMetadataList" && page.Kind != "SecretList" { // a server that knows of no such thing sends all
			return &wrongAnswer{page.Kind, "PartialObjectMetadataList"}
		}
		for i := range page.Items {
			if err := in.Take(&corev1.Secret{ObjectMeta: page.Items[i].ObjectMeta}); err != nil {
				return err
			}
		}
		if page.Continue == "" {
			return nil
		}
		if page.Continue == options.Continue {
			return errEndless
		}
		options.Continue = page.Continue
	}
}

// Raw is the body of an answer. An error is asked for first: that of Raw does not say what the
// API server said.
func Raw(result rest.Result) ([]byte, error) {
	if err := result.Error(); err != nil {
		return nil, err
	}
	return result.Raw()
}
