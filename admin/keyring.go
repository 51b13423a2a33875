package admin

import (
	"goldfish/license"
	"goldfish/license/web"
)

// KeyringOut is who can open the data file, and with which data key its rows are sealed.
type KeyringOut struct {
	Slots       []SlotOut  `json:"slots"`
	RecoverySet bool       `json:"recovery_set" doc:"A recovery code is in force"`
	DataKey     DataKeyOut `json:"data_key"`
	JobID       string     `json:"job_id" doc:"The change of keys that is under way, empty if none is"`
}

// SlotOut is one way to open the data file.
type SlotOut struct {
	ID         int      `json:"id"`
	Kind       string   `json:"kind" enum:"machine,password,recovery"`
	AccountID  string   `json:"account_id" doc:"Of a password: whose it is"`
	Username   string   `json:"username"`
	CreatedAt  web.Time `json:"created_at"`
	LastUsedAt web.Time `json:"last_used_at" doc:"When it last opened the file, to the day"`
}

// DataKeyOut is the key that seals.
type DataKeyOut struct {
	ID        int      `json:"id"`
	CreatedAt web.Time `json:"created_at" doc:"Empty for the first one, which was made with the file"`
}

// CodeOut is a recovery code, shown this once.
type CodeOut struct {
	Code string `json:"code"`
}

// ownPasswordIn proves who is calling once more.
type ownPasswordIn struct {
	Body struct {
		Password string `json:"password" doc:"The caller's own"`
	}
}

type confirmCodeIn struct {
	Body struct {
		Code string `json:"code" doc:"As it was shown; spaces and dashes do not count"`
	}
}

func (c *Console) registerKeyring(a *web.API) {
	web.Route(a, web.Op{
		Method: "GET", Path: "/api/v1/admin/keyring", ID: "getKeyring", Tag: "keyring", Summary: "密钥环 · The key ring",
		Permission: license.ReadKeyring,
	}, c.keyring)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/keyring/recovery", ID: "newRecoveryCode", Tag: "keyring", Summary: "生成恢复码 · Make a recovery code",
		Detail:     "只显示这一次，15 分钟内重新输入后才生效；此前的恢复码到那时失效。Shown this once; in force once it was typed again within 15 minutes, in place of any older one.",
		Permission: license.WriteKeyring,
	}, c.newRecoveryCode)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/keyring/recovery/confirm", ID: "confirmRecoveryCode", Tag: "keyring",
		Summary: "确认恢复码 · Confirm the recovery code", Permission: license.WriteKeyring, Message: "recovery_code_set", Errors: []int{409},
	}, c.confirmRecoveryCode)
	web.Route(a, web.Op{
		Method: "POST", Path: "/api/v1/admin/keyring/rotate", ID: "rotateKeys", Tag: "keyring", Summary: "更换数据密钥 · Change the data key",
		Detail:     "后台任务会结束其他所有会话、重新加密全部数据并压缩文件；此前的副本仍能用当时的密码打开。A job ends all other sessions, seals everything anew and compacts the file; copies made before still open with the passwords of that time.",
		Permission: license.WriteKeyring, Status: 202, Message: "rotation_begun", Errors: []int{409},
	}, c.rotateKeys)
}

func (c *Console) keyring(call *web.Call, _ *struct{}) (out KeyringOut, err error) {
	v, err := c.rules.Keyring(call.Actor)
	if err != nil {
		return out, err
	}
	ids := c.rules.IDs()
	out = KeyringOut{
		RecoverySet: v.RecoverySet, JobID: ids.Out(license.NounJob, v.Job),
		DataKey: DataKeyOut{ID: int(v.DataKey), CreatedAt: web.Time(v.DataKeyMade)}, Slots: []SlotOut{},
	}
	for _, s := range v.Slots {
		out.Slots = append(out.Slots, SlotOut{
			ID: int(s.ID), Kind: s.Kind, AccountID: ids.Out(license.NounAccount, s.Account), Username: s.Username,
			CreatedAt: web.Time(s.Created), LastUsedAt: web.Time(s.Used),
		})
	}
	return out, nil
}

func (c *Console) newRecoveryCode(call *web.Call, in *ownPasswordIn) (CodeOut, error) {
	code, err := c.rules.RecoveryCode(call.Ctx, call.Actor, in.Body.Password)
	return CodeOut{code}, err
}

func (c *Console) confirmRecoveryCode(call *web.Call, in *confirmCodeIn) (web.None, error) {
	return web.None{}, c.rules.ConfirmRecoveryCode(call.Actor, in.Body.Code)
}

func (c *Console) rotateKeys(call *web.Call, in *ownPasswordIn) (JobOut, error) {
	j, err := c.rules.RotateKeys(call.Ctx, call.Actor, in.Body.Password)
	if err != nil {
		return JobOut{}, err
	}
	return c.jobOut(j), nil
}
