package store_test

func childOpen(string)   {}
func childCreate(string) {}
func childWrite(string)  {}
func childFull(string)   {}
