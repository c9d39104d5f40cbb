// Package browser opens the pages of -o html in a real Chromium: nothing is loaded, nothing of what they quote runs,
// everything is reached by the keyboard, and read in light and dark, on a phone and on paper.
package browser
