package main

import "testing"

// A service is named as people write it.
func TestDotted(t *testing.T) {
	for arg, want := range map[string]string{
		"cart": "cart", "cart.shop": "cart.shop", "cart.shop.": "cart.shop", "shop/cart": "cart.shop", "svc/cart": "cart", "service/cart": "cart",
		"service shop/cart": "cart.shop", "cart.shop:5000": "cart.shop", "http://cart.shop:5000/path?q=a/b": "cart.shop",
		"cart.shop.svc.cluster.local:80": "cart.shop.svc.cluster.local", "grpc://cart.shop": "cart.shop", "cart:http": "cart:http",
	} {
		if got := dotted(arg); got != want {
			t.Errorf("dotted(%q) = %q, want %q", arg, got, want)
		}
	}
}
