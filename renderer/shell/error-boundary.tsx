import { Component, type ReactNode } from 'react';
import { Button } from '../ui/button.tsx';
import { Empty } from '../ui/notice.tsx';

type Props = { readonly children: ReactNode; readonly what: string };

/** Keeps a bug in one view from taking the window with it. React knows error boundaries only as classes. */
export class ErrorBoundary extends Component<Props, { readonly failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <div role="alert">
        <Empty
          title={`${this.props.what} could not be drawn`}
          testId="view-failed"
          action={
            <Button
              onClick={() => {
                this.setState({ failed: false });
              }}
            >
              Draw again
            </Button>
          }
        >
          This is a fault of the window. Sessions are not affected: they run outside it.
        </Empty>
      </div>
    );
  }
}
