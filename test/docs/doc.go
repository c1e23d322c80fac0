// Package docs tests the documents against the tree: links, names, commands, programs and output. There
// is nothing here but tests.
package docs
