package main

import (
	"context"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// hash is what tells the pods of one template from those of another.
const hash = "5d7f9c6b8"

// own puts a ReplicaSet between each Deployment and the pods that the bed made for it: istioctl looks only into pods
// that have one.
func own(ctx context.Context, client kubernetes.Interface) error {
	pods, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		cut := strings.LastIndex(pod.Name, "-")
		if cut < 0 || len(pod.OwnerReferences) > 0 {
			continue
		}
		deployment, err := client.AppsV1().Deployments(pod.Namespace).Get(ctx, pod.Name[:cut], metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
		set, err := client.AppsV1().ReplicaSets(pod.Namespace).Create(ctx, replicaSet(deployment, pod), metav1.CreateOptions{})
		if err != nil {
			return err
		}
		pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))}
		if _, err := client.CoreV1().Pods(pod.Namespace).Update(ctx, pod, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	return nil
}

func replicaSet(of *appsv1.Deployment, pod *corev1.Pod) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: of.Name + "-" + hash, Labels: pod.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(of, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
		},
		Spec: appsv1.ReplicaSetSpec{Replicas: of.Spec.Replicas, Selector: of.Spec.Selector, Template: of.Spec.Template},
	}
}
