module glassnic

go 1.26
