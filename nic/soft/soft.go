// Package soft is what ports without a card share: those of the kernel and of files. Their frames are copied when they
// are sent and received, so that buffers lie in ordinary memory, and those of any pool can be sent.
package soft

import (
	"fmt"
	"net"

	"glassnic/bus/dma"
	"glassnic/nic"
	"glassnic/packet"
)

// overhead is how much longer than the MTU a frame may be: Ethernet header and two VLAN tags.
const overhead = 14 + 2*4

// Port is the part of a nic.Device that does not depend on where frames go.
type Port struct {
	info nic.Info
	own  bool // the pool is the port's
	rx   []*Rx
	tx   []*Tx
}

// New makes a port with the pool that cfg names or one of its own, and as many queues as cfg says.
func New(driver, address, card string, mac net.HardwareAddr, cfg nic.Config) (*Port, error) {
	if cfg.VLANs != nil {
		return nil, fmt.Errorf("%s %s: no filter of VLANs: leave it to the application", driver, address)
	}
	p := &Port{own: cfg.Pool == nil}
	if p.own {
		var err error
		if cfg.Pool, err = packet.NewPool(dma.NewHeap(), packet.PoolConfig{Buffers: cfg.Buffers, Room: cfg.Room}); err != nil {
			return nil, fmt.Errorf("%s %s: %w", driver, address, err)
		}
	}
	p.info = nic.Info{
		Driver: driver, Address: address, Card: card, MAC: mac, NUMANode: -1, RxQueues: cfg.RxQueues, TxQueues: cfg.TxQueues,
		RxRing: cfg.RxRing, TxRing: cfg.TxRing, MTU: cfg.MTU, Port: cfg.Port, Domain: cfg.Pool.Domain(), Pool: cfg.Pool, SendsAny: true,
	}
	for range cfg.RxQueues {
		p.rx = append(p.rx, newRx(cfg.Pool, cfg.Port, cfg.MTU+overhead))
	}
	for range cfg.TxQueues {
		p.tx = append(p.tx, newTx(cfg.Pool, cfg.MTU+overhead))
	}
	return p, nil
}

// Rx returns the common part of receive queue i.
func (p *Port) Rx(i int) *Rx { return p.rx[i] }

// Tx returns the common part of transmit queue i.
func (p *Port) Tx(i int) *Tx { return p.tx[i] }

// Info implements nic.Device.
func (p *Port) Info() nic.Info { return p.info }

// Stats returns what the queues have counted.
func (p *Port) Stats() (s nic.Stats) {
	for _, q := range p.rx {
		s.RxPackets += q.packets.Load()
		s.RxBytes += q.bytes.Load()
		s.RxErrors += q.Errors.Load()
		s.RxDropped += q.Dropped.Load()
		s.RxNoBuffer += q.noBuffer.Load()
	}
	for _, q := range p.tx {
		s.TxPackets += q.packets.Load()
		s.TxBytes += q.bytes.Load()
		s.TxDropped += q.Dropped.Load()
	}
	return s
}

// Close gives the queues' buffers back and closes the pool if it is the port's own. The error wraps packet.ErrLeaked
// where buffers are still out.
func (p *Port) Close() error {
	for _, q := range p.rx {
		q.UseCache(nil)
		q.cache.Flush()
	}
	for _, q := range p.tx {
		q.UseCache(nil)
		q.cache.Flush()
	}
	if !p.own {
		return nil
	}
	p.own = false
	return p.info.Pool.Close()
}
