/** What the appliance's API says, in the shape that openapi-typescript gives. */
export interface components {
  schemas: {
    Text: { zh?: string; en?: string }
    User: {
      id: string
      username: string
      name: string
      email: string
      role: string
      must_change_password: boolean
      permissions: string[]
      created_at: string
    }
    Account: components['schemas']['User'] & {
      state: string
      last_login_at: string | null
      cards: number
    }
    CardCounts: {
      unused: number
      active: number
      expired: number
      disabled: number
      deleted: number
      total: number
    }
    DeviceCounts: { bound: number; online: number }
    SigningKey: { kid: string; public_key: string; state: string; created_at: string }
    Policy: {
      device_tolerance: 'exact' | 'two_of_three' | 'any'
      grace_days: number
      heartbeat_seconds: number
      device_key: 'required' | 'optional'
    }
    App: {
      id: string
      name: components['schemas']['Text']
      description: components['schemas']['Text']
      state: 'enabled' | 'disabled'
      created_at: string
      keys: components['schemas']['SigningKey'][]
      policy: components['schemas']['Policy']
      cards: components['schemas']['CardCounts']
      devices: components['schemas']['DeviceCounts']
    }
    Sample: { filename: string; text: string; server_url: string; sdk_url: string; command: string }
    Validity: { kind: 'permanent' | 'duration' | 'until'; seconds?: number; until?: string | null }
    Batch: {
      id: string
      app_id: string
      name: string
      note: string
      price_label: string
      count: number
      validity: components['schemas']['Validity']
      devices: number
      tier: string
      features: string[]
      state: 'generating' | 'ready' | 'cancelled' | 'failed'
      created_at: string
      created_by: string
      job_id: string
      cards: components['schemas']['CardCounts']
    }
    Holder: { id: string; username: string }
    Card: {
      id: string
      key: string
      app_id: string
      batch_id: string
      batch_name: string
      state: string
      validity: components['schemas']['Validity']
      activated_at: string | null
      ends_at: string | null
      devices: number
      bound: number
      account: components['schemas']['Holder'] | null
      tier: string
      features: string[]
      note: string
      created_at: string
    }
    CardDetail: components['schemas']['Card'] & {
      bindings: components['schemas']['Device'][]
      history: components['schemas']['Event'][]
    }
    CardChange: { changed: number; failed: { id: string; code: string; message: string }[] }
    Device: {
      id: string
      device_id: string
      app_id: string
      card_id: string
      card_key_masked: string
      account: components['schemas']['Holder'] | null
      platform: string
      version: string
      address: string
      online: boolean
      state: string
      first_seen: string
      last_seen: string
    }
    Announcement: {
      id: string
      app_ids: string[]
      type: 'notice' | 'maintenance' | 'release' | 'security'
      priority: 'high' | 'medium' | 'low'
      title: components['schemas']['Text']
      body: components['schemas']['Text']
      state: 'draft' | 'published' | 'withdrawn' | 'expired'
      created_at: string
      published_at: string | null
      expires_at: string | null
    }
    Job: {
      id: string
      kind: string
      state: 'running' | 'done' | 'cancelled' | 'failed'
      done: number
      total: number
      object_id: string
      error_code?: string
      created_at: string
      finished_at: string | null
    }
    Event: {
      seq: number
      time: string
      kind: string
      level: string
      actor: { kind: string; id: string; name: string }
      object: { kind: string; id: string }
      app_id: string
      address: string
      code: string
      args: Record<string, unknown>
    }
    Dashboard: {
      apps: number
      accounts: number
      cards: components['schemas']['CardCounts']
      devices: components['schemas']['DeviceCounts']
      activations: { day: string; count: number }[]
      recent: components['schemas']['Event'][]
      steps: { app: boolean; keys: boolean; connected: boolean }
    }
    Status: {
      version: string
      started_at: string
      data_file: string
      file_bytes: number
      console_url: string
      client_url: string
      now: string
    }
  }
}
