//go:build unix

package control

import (
	"os"
	"testing"
)

func TestAFolderThatOthersPreparedIsNotUsed(t *testing.T) {
	data := folder(t, 150)
	dir, err := shortFolder(data)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := shortFolder(data); err != nil || again != dir {
		t.Errorf("%s, %v", again, err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if other, err := shortFolder(data); err != nil || other == dir {
		t.Errorf("an open folder was taken: %s, %v", other, err)
	}
}
