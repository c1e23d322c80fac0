package virtio

// CapVendor is the capability ID of virtio's structures in PCI configuration space (4.1.4).
const CapVendor = 0x09

// Fields of such a capability, by offset from its begin (4.1.4, 4.1.4.4).
const (
	CapLen        = 2 // 8 bits
	CapType       = 3
	CapBAR        = 4
	CapOffset     = 8 // 32 bits
	CapLength     = 12
	CapMultiplier = 16 // 32 bits, of a notification structure
	CapSize       = 16 // bytes, without the multiplier
)

// Types of structures (4.1.4).
const (
	CapCommon = 1
	CapNotify = 2
	CapISR    = 3
	CapDevice = 4
)

// Fields of the common configuration structure, by offset (4.1.4.3).
const (
	DeviceFeatureSelect uint32 = 0x00 // 32 bits
	DeviceFeature       uint32 = 0x04
	DriverFeatureSelect uint32 = 0x08
	DriverFeature       uint32 = 0x0c
	ConfigMSIXVector    uint32 = 0x10 // 16 bits
	NumQueues           uint32 = 0x12
	DeviceStatus        uint32 = 0x14 // 8 bits
	ConfigGeneration    uint32 = 0x15
	QueueSelect         uint32 = 0x16 // 16 bits
	QueueSize           uint32 = 0x18
	QueueMSIXVector     uint32 = 0x1a
	QueueEnable         uint32 = 0x1c
	QueueNotifyOff      uint32 = 0x1e
	QueueDesc           uint32 = 0x20 // 64 bits, as two of 32
	QueueDriver         uint32 = 0x28
	QueueDevice         uint32 = 0x30
	CommonSize                 = 0x38 // without later additions
)

// NoVector stands for no MSI-X vector (4.1.5.1.2).
const NoVector uint16 = 0xffff

// Bits of the ISR status, which a read clears (4.1.4.5).
const (
	ISRQueue  uint8 = 1
	ISRConfig uint8 = 2
)

// LegacyAlign is the alignment in bytes of a legacy ring, and of its used part (2.7.2, 4.1.5.1.3.1).
const LegacyAlign = 4096

// Registers of the legacy interface, by offset in BAR 0, which is of I/O ports (4.1.4.10).
const (
	LegacyDeviceFeatures uint32 = 0x00 // 32 bits
	LegacyDriverFeatures uint32 = 0x04
	LegacyQueueAddress   uint32 = 0x08 // in pages of 4096 bytes
	LegacyQueueSize      uint32 = 0x0c // 16 bits
	LegacyQueueSelect    uint32 = 0x0e
	LegacyQueueNotify    uint32 = 0x10
	LegacyStatus         uint32 = 0x12 // 8 bits
	LegacyISR            uint32 = 0x13
	LegacyConfigVector   uint32 = 0x14 // 16 bits, only with MSI-X on
	LegacyQueueVector    uint32 = 0x16
	LegacyConfig         uint32 = 0x14 // the device's configuration: behind the vectors with MSI-X on
	LegacyConfigMSIX     uint32 = 0x18
)

// Register is one register, for a dump.
type Register struct {
	Name    string
	Offset  uint32
	Width   int // bits
	Doc     string
	Section string
}

// CommonRegisters are those of the common configuration structure that can be read without harm.
var CommonRegisters = []Register{
	{"device_feature_select", DeviceFeatureSelect, 32, "which 32 feature bits device_feature shows", "4.1.4.3"},
	{"device_feature", DeviceFeature, 32, "features that the device offers", "4.1.4.3"},
	{"driver_feature_select", DriverFeatureSelect, 32, "which 32 feature bits driver_feature shows", "4.1.4.3"},
	{"driver_feature", DriverFeature, 32, "features that the driver has taken", "4.1.4.3"},
	{"config_msix_vector", ConfigMSIXVector, 16, "vector of configuration changes", "4.1.4.3"},
	{"num_queues", NumQueues, 16, "queues of the device at most", "4.1.4.3"},
	{"device_status", DeviceStatus, 8, "1 acknowledge, 2 driver, 4 driver ok, 8 features ok, 64 needs reset, 128 failed", "4.1.4.3"},
	{"config_generation", ConfigGeneration, 8, "changes with the configuration", "4.1.4.3"},
	{"queue_select", QueueSelect, 16, "the queue that the following registers are about", "4.1.4.3"},
	{"queue_size", QueueSize, 16, "descriptors", "4.1.4.3"},
	{"queue_msix_vector", QueueMSIXVector, 16, "vector of the queue", "4.1.4.3"},
	{"queue_enable", QueueEnable, 16, "1 when the queue is in use", "4.1.4.3"},
	{"queue_notify_off", QueueNotifyOff, 16, "place of its doorbell", "4.1.4.3"},
	{"queue_desc_lo", QueueDesc, 32, "descriptor area", "4.1.4.3"},
	{"queue_desc_hi", QueueDesc + 4, 32, "its upper half", "4.1.4.3"},
	{"queue_driver_lo", QueueDriver, 32, "driver area", "4.1.4.3"},
	{"queue_driver_hi", QueueDriver + 4, 32, "its upper half", "4.1.4.3"},
	{"queue_device_lo", QueueDevice, 32, "device area", "4.1.4.3"},
	{"queue_device_hi", QueueDevice + 4, 32, "its upper half", "4.1.4.3"},
}

// LegacyRegisters are those of the legacy interface that can be read without harm: a read of ISR clears it.
var LegacyRegisters = []Register{
	{"device_features", LegacyDeviceFeatures, 32, "features that the device offers", "4.1.4.10"},
	{"driver_features", LegacyDriverFeatures, 32, "features that the driver has taken", "4.1.4.10"},
	{"queue_address", LegacyQueueAddress, 32, "the ring, in pages of 4096 bytes", "4.1.4.10"},
	{"queue_size", LegacyQueueSize, 16, "descriptors", "4.1.4.10"},
	{"queue_select", LegacyQueueSelect, 16, "the queue that the registers before are about", "4.1.4.10"},
	{"device_status", LegacyStatus, 8, "1 acknowledge, 2 driver, 4 driver ok, 128 failed", "4.1.4.10"},
}
