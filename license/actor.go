package license

import (
	"net/netip"
	"slices"

	"goldfish/license/fault"
	"goldfish/store"
)

// Role says what an account may do. The numbers lie in the file and are never used again.
type Role uint8

// The roles there are: a customer runs licensed apps, an owner may do everything in the back office.
const (
	RoleCustomer Role = 1
	RoleOwner    Role = 2
)

// String is the role's name on the wire.
func (r Role) String() string {
	switch r {
	case RoleCustomer:
		return "customer"
	case RoleOwner:
		return "owner"
	}
	return ""
}

// Permission names one action on one resource. Every back-office route asks for one.
type Permission string

// All permissions. Strings are stable: the console decides by them what it shows.
const (
	ReadDashboard      Permission = "dashboard:read"
	ReadApps           Permission = "apps:read"
	WriteApps          Permission = "apps:write"
	ReadBatches        Permission = "batches:read"
	WriteBatches       Permission = "batches:write"
	ReadCards          Permission = "cards:read"
	WriteCards         Permission = "cards:write"
	ExportCards        Permission = "cards:export"
	ReadDevices        Permission = "devices:read"
	ReadAnnouncements  Permission = "announcements:read"
	WriteAnnouncements Permission = "announcements:write"
	ReadAccounts       Permission = "accounts:read"
	ReadJobs           Permission = "jobs:read"
	WriteJobs          Permission = "jobs:write"
	ReadEvents         Permission = "events:read"
	ReadStatus         Permission = "status:read"
	ReadFile           Permission = "file:read"  // the file itself, its backups, its plan
	WriteFile          Permission = "file:write" // backups, compaction, restore
	ReadReceipts       Permission = "receipts:read"
	WriteReceipts      Permission = "receipts:write"
	ReadKeyring        Permission = "keyring:read"
	WriteKeyring       Permission = "keyring:write" // the recovery code, new keys
	OwnProfile         Permission = "self:read"     // every signed-in account, also before its first password change
	OwnLicences        Permission = "self:licences"
)

var rolePermissions = map[Role][]Permission{
	RoleCustomer: {OwnProfile, OwnLicences},
	RoleOwner: {
		OwnProfile, OwnLicences, ReadDashboard, ReadApps, WriteApps, ReadBatches, WriteBatches, ReadCards, WriteCards,
		ExportCards, ReadDevices, ReadAnnouncements, WriteAnnouncements, ReadAccounts, ReadJobs, WriteJobs, ReadEvents,
		ReadStatus, ReadFile, WriteFile, ReadReceipts, WriteReceipts, ReadKeyring, WriteKeyring,
	},
}

// Permissions lists what the role may do.
func (r Role) Permissions() []Permission { return slices.Clone(rolePermissions[r]) }

// May says whether the role may do it. An unknown role may nothing.
func (r Role) May(p Permission) bool { return slices.Contains(rolePermissions[r], p) }

// ActorKind says who acts. The numbers lie in the log and are never used again.
type ActorKind uint8

// Who can act: nobody signed in, an account, a device by its proof, the appliance itself.
const (
	ActorNobody  ActorKind = 0
	ActorAccount ActorKind = 1
	ActorDevice  ActorKind = 2
	ActorSystem  ActorKind = 3
)

var actorKinds = [...]string{"nobody", "account", "device", "system"}

// String is the kind's name on the wire.
func (k ActorKind) String() string {
	if int(k) < len(actorKinds) {
		return actorKinds[k]
	}
	return "nobody"
}

// Actor is who makes a call. Rules get it as a parameter, never from a context.
type Actor struct {
	Kind       ActorKind
	Account    store.ID
	Session    store.ID
	Role       Role
	MustChange bool       // the first password still stands: nothing but changing it is allowed
	Address    netip.Addr // the network address, invalid for the appliance itself
	Local      bool       // the call came from this machine and was not forwarded
}

// System is the appliance itself.
var System = Actor{Kind: ActorSystem}

// Authorise refuses with 401 sign_in_required, 403 password_change_required or 403 permission_denied.
// OwnProfile is granted before the first password is changed; nothing else is.
func (a Actor) Authorise(p Permission) error {
	if a.Kind == ActorSystem {
		return nil
	}
	if a.Kind != ActorAccount {
		return fault.New(fault.Unauthenticated, "sign_in_required")
	}
	if a.MustChange && p != OwnProfile {
		return fault.New(fault.Forbidden, "password_change_required")
	}
	if !a.Role.May(p) {
		return fault.New(fault.Forbidden, "permission_denied").With("permission", string(p))
	}
	return nil
}

// BackOffice says whether the actor sees everything rather than its own.
func (a Actor) BackOffice() bool {
	return a.Kind == ActorSystem || a.Kind == ActorAccount && !a.MustChange && a.Role == RoleOwner
}
