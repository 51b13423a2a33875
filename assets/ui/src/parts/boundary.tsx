import { Button } from 'antd'
import { Component, type ReactNode } from 'react'
import { currentText } from '../i18n/text'

/** Catches what a page throws while it renders, so that the rest of the console stays. */
export class Boundary extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false }

  static getDerivedStateFromError() {
    return { broken: true }
  }

  override render() {
    if (!this.state.broken) return this.props.children
    const text = currentText()
    return (
      <div className="nothing" role="alert">
        <strong>{text.fault.crashed}</strong>
        <p>{text.fault.crashedHint}</p>
        <div className="row">
          <Button type="primary" onClick={() => window.location.reload()}>
            {text.fault.reload}
          </Button>
        </div>
      </div>
    )
  }
}
