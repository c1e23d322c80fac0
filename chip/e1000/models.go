package e1000

// Kind is the family that a model belongs to, by its descriptors and queue registers.
type Kind uint8

// The kinds.
const (
	Legacy   Kind = iota // 8254x: receive descriptors of the first format, plain PCI
	Extended             // 82574: extended receive descriptors, PCIe
	Advanced             // 82576: advanced descriptors, queues that are switched on each by itself
)

// Facts are the sizes in which the models differ.
type Facts struct {
	Kind      Kind
	Queues    int   // each way
	Vectors   int   // of MSI-X that can be given to receive queues; 0: none
	VectorsBy IVARs // how
	MaxFrame  int   // bytes with CRC, of received and sent packets
	LEDs      int
	RETAShift int  // bits that a queue's number is shifted by in an entry of RETA
	Pages     bool // the PHY's registers come in pages, which register 22 selects
	PHPM      bool // PHPM can hold the link down
}

// IVARs is how vectors are given to causes.
type IVARs uint8

// The layouts of IVAR.
const (
	NoIVAR     IVARs = iota
	IVAR4            // one register with 4 bits for a cause (82574 10.2.4)
	IVARHalves       // IVAR[i mod 8]: receive queue i in byte 0, i+8 in byte 2 (82576 8.8)
	IVARPairs        // IVAR[i/2]: receive queue i in byte 0, or 2 where i is odd (I210 8.8.15)
)

// Facts returns the sizes of a model: section 1 of the datasheets, and Intel's drivers for the longest frames.
func (m Model) Facts() Facts {
	switch m {
	case M8254x:
		return Facts{Kind: Legacy, Queues: 1, MaxFrame: 16128, LEDs: 4}
	case M82574:
		return Facts{Kind: Extended, Queues: 2, Vectors: 5, VectorsBy: IVAR4, MaxFrame: 9234, LEDs: 3}
	case M82583:
		return Facts{Kind: Extended, Queues: 1, MaxFrame: 9234, LEDs: 3}
	case M82575:
		return Facts{Kind: Advanced, Queues: 4, MaxFrame: 9728, LEDs: 4, RETAShift: 6}
	case M82576:
		return Facts{Kind: Advanced, Queues: 16, Vectors: 25, VectorsBy: IVARHalves, MaxFrame: 9728, LEDs: 4}
	case M82580, MI350:
		return Facts{Kind: Advanced, Queues: 8, Vectors: 10, VectorsBy: IVARPairs, MaxFrame: 9728, LEDs: 4, PHPM: true}
	case MI210:
		return Facts{Kind: Advanced, Queues: 4, Vectors: 5, VectorsBy: IVARPairs, MaxFrame: 9728, LEDs: 3, PHPM: true, Pages: true}
	case MI211:
		return Facts{Kind: Advanced, Queues: 2, Vectors: 5, VectorsBy: IVARPairs, MaxFrame: 9728, LEDs: 3, PHPM: true, Pages: true}
	}
	return Facts{}
}
