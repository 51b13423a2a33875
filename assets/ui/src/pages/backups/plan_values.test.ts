import { describe, expect, it } from 'vitest'
import type { BackupPlan } from '../../api/backups'
import { fieldsOf, planOf } from './plan_values'

const plan: BackupPlan = { enabled: true, at: '02:00', keep_days: 30, second_folder: '', cap_bytes: 0 }

describe('the plan of backups in its form', () => {
  it.each<Partial<BackupPlan>>([
    {},
    { enabled: false, at: '00:00', keep_days: 1 },
    { at: '23:59', second_folder: '/srv/backup', cap_bytes: 5 * 1024 ** 3 },
    { at: '09:05', second_folder: 'D:\\backup', cap_bytes: 1.5 * 1024 ** 3 },
  ])('comes back as it was: %j', (change) => {
    const given = { ...plan, ...change }
    expect(planOf(fieldsOf(given))).toEqual(given)
  })

  it('has a cap in gigabytes, or none', () => {
    expect(fieldsOf(plan).cap_gb).toBeNull()
    expect(fieldsOf({ ...plan, cap_bytes: 1024 ** 3 }).cap_gb).toBe(1)
    expect(planOf({ ...fieldsOf(plan), cap_gb: 0.25 }).cap_bytes).toBe(256 * 1024 ** 2)
    expect(planOf({ ...fieldsOf(plan), cap_gb: null }).cap_bytes).toBe(0)
  })

  it('drops blanks around the folder, and takes an emptied one for none', () => {
    expect(planOf({ ...fieldsOf(plan), second_folder: ' /srv/b ' }).second_folder).toBe('/srv/b')
    expect(planOf({ ...fieldsOf(plan), second_folder: undefined }).second_folder).toBe('')
  })
})
