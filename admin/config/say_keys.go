package config

import "fmt"

// Admin are the verbs about accounts.
type Admin struct {
	ResetPassword AdminResetPassword `cmd:"" name:"reset-password" help:"给账号一个临时密码，登录后须立即修改 · give an account a temporary password, to be changed at once"`
}

// AdminResetPassword sets a password that somebody has forgotten.
type AdminResetPassword struct {
	Place
	User string `arg:"" help:"用户名或邮箱 · user name or e-mail address"`
}

// Keyring are the verbs about keys.
type Keyring struct {
	Rotate KeyringRotate `cmd:"" help:"更换数据密钥并重新加密全部数据，服务运行时也可以 · change the data key and seal everything anew, also while the service runs"`
}

// KeyringRotate changes root and data key.
type KeyringRotate struct{ Place }

// PasswordReset tells a temporary password, this once.
func PasswordReset(user, password string) string {
	return fmt.Sprintf("账号 %s 的临时密码：%s\n  只显示这一次；登录后须先修改密码，原有的会话均已结束\n"+
		"Temporary password of %s: %s\n  Shown this once; it must be changed after signing in, and all sessions have ended", user, password, user, password)
}

// KeysRotated tells that everything lies under new keys.
func KeysRotated(rows int) string {
	return fmt.Sprintf("密钥已更换，%d 行数据已重新加密，所有会话均已结束。此前的副本和备份仍能用当时的密码打开\n"+
		"The keys were changed, %d rows were sealed anew, and all sessions have ended. Copies and backups made before still open with the passwords of that time", rows, rows)
}
